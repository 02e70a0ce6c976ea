"""The verbs on folders, the command line, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import PACKAGES, logits, tiny_model

import wisca


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("folders") / "model"
    tiny_model().save_pretrained(place)
    return place


def loaded(place):
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(place, attn_implementation="eager", dtype=torch.float32)


def test_rescale_verify_undo(folder, tmp_path):
    report = wisca.rescale(folder, tmp_path / "balanced", preset="qk_row+vo_row", round="pow2")
    assert report["bit_exact"] is True and all(group["factor"] > 0 for group in report["groups"])
    assert wisca.verify(folder, tmp_path / "balanced")["equivalent"] is True
    assert torch.equal(logits(loaded(folder)), logits(loaded(tmp_path / "balanced")))
    wisca.undo(str(tmp_path / "balanced"), tmp_path / "back")
    before, after = loaded(folder), loaded(tmp_path / "back")
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters()))


def test_rotate_and_inspect(folder, tmp_path):
    wisca.rotate(folder, tmp_path / "rotated", stream="random", seed=3)
    assert (logits(loaded(folder)) - logits(loaded(tmp_path / "rotated"))).abs().max() < 1e-4
    assert wisca.inspect(folder)["architecture"] == "llama"


def test_another_function_is_a_report_and_no_error(folder, tmp_path):
    other = tiny_model(seed=5)
    other.save_pretrained(tmp_path / "other")
    assert wisca.verify(folder, tmp_path / "other")["equivalent"] is False


def test_adapters(folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(loaded(folder), LoraConfig(r=4, target_modules=["q_proj", "v_proj", "o_proj"], init_lora_weights=False))
    model.save_pretrained(tmp_path / "adapter")
    wisca.balance(tmp_path / "adapter", tmp_path / "even")
    wisca.rescale(folder, tmp_path / "balanced")
    wisca.express(tmp_path / "adapter", tmp_path / "moved", base=tmp_path / "balanced", for_="rescaled")
    from peft import PeftModel

    there = PeftModel.from_pretrained(loaded(tmp_path / "balanced"), tmp_path / "moved")
    assert (logits(model) - logits(there)).abs().max() < 1e-4
    wisca.merge(folder, tmp_path / "adapter", tmp_path / "merged", tokens=0)
    assert (logits(model) - logits(loaded(tmp_path / "merged"))).abs().max() < 1e-4


@pytest.mark.parametrize("call, words", [
    (lambda: wisca.inspect("/nowhere/at/all"), "/nowhere/at/all"),
    (lambda: wisca.undo("somewhere"), "folder to write"),
    (lambda: wisca.undo(torch.nn.Linear(1, 1)), "nothing is attached"),
])
def test_errors_have_a_message_and_a_hint(call, words):
    with pytest.raises(wisca.WiscaError) as raised:
        call()
    assert words in raised.value.message and raised.value.hint
    assert isinstance(raised.value.details, list)


def test_an_unknown_option_is_an_error(folder):
    with pytest.raises(wisca.WiscaError, match="colour"):
        wisca.inspect(folder, colour="blue")


def test_errors_can_be_pickled():
    import pickle

    error = pickle.loads(pickle.dumps(wisca.WiscaError("a", "b", ["c"])))
    assert (error.message, error.hint, error.details) == ("a", "b", ["c"])
    assert str(error) == "a\n  c\nhint: b"


def command(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": PACKAGES}
    return subprocess.Popen(
        [sys.executable, "-m", "wisca", *map(str, arguments)], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **options)


def test_the_command_line(folder):
    good, bad, wrong = (command(*line) for line in (("inspect", folder, "--json"), ("inspect", "/nowhere"), ("frobnicate",)))
    out, _ = good.communicate(timeout=60)
    assert good.returncode == 0 and "llama" in json.dumps(json.loads(out))
    _, told = bad.communicate(timeout=60)
    assert bad.returncode == 1 and "/nowhere" in told and "Traceback" not in told
    _, told = wrong.communicate(timeout=60)
    assert wrong.returncode == 2 and told


def test_ctrl_c_cancels_and_leaves_nothing(tmp_path):
    model = tiny_model(hidden_size=1024, intermediate_size=4096, num_hidden_layers=4, num_attention_heads=8, vocab_size=64)
    model.save_pretrained(tmp_path / "large")
    code = (
        "import wisca, sys\nprint('go', flush=True)\n"
        f"try: wisca.rescale({str(tmp_path / 'large')!r}, {str(tmp_path / 'out')!r}, threads=1)\n"
        "except KeyboardInterrupt: print('interrupted'); sys.exit(7)\nprint('done')")
    import shutil

    # Where it comes too late the folder stands, and is whole; where it comes too early there is nothing to interrupt.
    for wait in (0.15, 0.05, 0.02, 0.1, 0.2, 0.07, 0.3, 0.03, 0.12):
        process = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": PACKAGES}, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        assert process.stdout.readline() == "go\n"
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if not (tmp_path / "out").exists():
            break
        assert wisca.verify(tmp_path / "large", tmp_path / "out")["equivalent"]
        shutil.rmtree(tmp_path / "out")
    assert (process.returncode, out) == (7, "interrupted\n"), err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large"]

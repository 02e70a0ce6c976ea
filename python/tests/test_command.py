"""The same small run through `wisca train` and through PyTorch with `attach`: the same factors, bases and losses at the same steps.

It needs the command with libtorch, which `WISCA_COMMAND` names: `./wisca` of the repository.
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import torch

import wisca

COMMAND = os.environ.get("WISCA_COMMAND")

pytestmark = pytest.mark.skipif(not COMMAND, reason="WISCA_COMMAND names no wisca with libtorch")

LENGTH = 32

# Every window of a text that repeats itself is the same: the order in which they are drawn does not matter.
CONFIG = """
batch_size: 2
seed: 1
model:
  config: {model_type: llama, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 4,
           num_key_value_heads: 2, max_position_embeddings: 64, rms_norm_eps: 1.0e-6, initializer_range: 0.1, hidden_act: silu,
           rope_theta: 10000.0, tie_word_embeddings: false}
tokenizer: {source: bytes}
data: {train: [text.txt], validation: [text.txt], sequence_length: 32}
optimizer: {learning_rate: 3.0e-3, betas: [0.9, 0.95], epsilon: 1.0e-8, weight_decay: 0, clip: none}
schedule: {name: constant, warmup: 0}
evaluation: {every: 1000}
logging: {every: 1, tensorboard: false}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("command")
    (place / "run.yaml").write_text(CONFIG)
    (place / "text.txt").write_text("the quick brown fox jumps, dogs " * 400)
    return place


def command(folder, name, steps, *settings):
    told = subprocess.run(
        [COMMAND, "train", "--config", "run.yaml", "--set", f"output={name}", f"steps={steps}", *settings], cwd=folder,
        capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr
    lines = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
    return folder / name / "checkpoints" / f"step-{steps:06}", lines


def in_torch(start, steps, **options):
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(start, attn_implementation="eager", dtype=torch.float32)
    text = "the quick brown fox jumps, dogs " * 3
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    attachment = wisca.attach(model, optimizer, **options)
    events, losses = list(attachment.events), []
    vocabulary = json.loads((start / "tokenizer.json").read_text())["model"]["vocab"]
    spelled = {" ": "\u0120"}
    ids = torch.tensor([vocabulary[spelled.get(letter, letter)] for letter in text])
    return model, optimizer, attachment, events, losses, ids


def run(parts, steps, shift):
    model, optimizer, attachment, events, losses, ids = parts
    window = ids[shift : shift + LENGTH + 1]
    for _ in range(steps):
        batch = window[:-1].repeat(2, 1)
        logits = model(input_ids=batch).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), window[1:].repeat(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        events += attachment.step()
    return events, losses


@pytest.fixture(scope="module")
def start(folder):
    """The weights that a run of this seed begins with: at no rate they stay."""
    return command(folder, "start", 1, "optimizer.learning_rate=1e-30", "wisca.preset=origin")[0]


def losses_of(lines):
    return [line["train/loss"] for line in lines if "train/loss" in line]


def test_factors_are_the_same_at_the_same_steps(folder, start):
    _, lines = command(folder, "scales", 9, "wisca.preset=qk_ten+vo_ten", "wisca.every=3")
    told = {line["step"]: [group["factor"] for group in line["wisca/groups"]] for line in lines if "wisca/groups" in line}
    parts = in_torch(start, 9, preset="qk_ten+vo_ten", every=3)
    events, losses = run(parts, 9, shift_of(parts, losses_of(lines)[0]))
    mine = {event.step: [group["factor"] for group in event.groups] for event in events}
    assert sorted(told) == sorted(mine) == [0, 3, 6, 9]
    for step, factors in told.items():
        assert mine[step] == pytest.approx(factors, rel=1e-5), step
    assert losses == pytest.approx(losses_of(lines), rel=1e-5)


@pytest.mark.parametrize("source", ["momentum", "gradient"])
def test_bases_are_the_same_at_the_same_steps(folder, start, source):
    from safetensors.torch import load_file

    checkpoint, lines = command(
        folder, source, 4, "wisca.preset=origin", f"wisca.rotate.stream={source}", "wisca.rotate.start=2", "wisca.rotate.every=2")
    parts = in_torch(start, 4, rotate=dict(stream=source, start=2, every=2))
    events, losses = run(parts, 4, shift_of(parts, losses_of(lines)[0]))
    told = [line for line in lines if "rotation/stream/angle" in line]
    assert [line["step"] for line in told] == [event.step for event in events] == [2, 4]
    # Gradients of one window have few directions; in the others a basis is anything, so that shares are compared and not matrices.
    for line, event in zip(told, events):
        before, after = event.spaces[0].diagonal
        assert before == pytest.approx(line["rotation/stream/diagonal_before"], rel=1e-3)
        assert after == pytest.approx(line["rotation/stream/diagonal_after"], rel=1e-3)
    assert losses == pytest.approx(losses_of(lines), rel=1e-3)
    total = load_file(checkpoint / "training" / "rotations.safetensors")["stream/rotation"]
    assert total.shape == (32, 32)


def shift_of(parts, first_loss):
    """At which letter windows begin, by the loss of the first step."""
    model, ids = parts[0], parts[-1]
    with torch.no_grad():
        for shift in range(LENGTH):
            window = ids[shift : shift + LENGTH + 1]
            logits = model(input_ids=window[None, :-1]).logits[0]
            if abs(torch.nn.functional.cross_entropy(logits, window[1:]).item() - first_loss) < 1e-5 * first_loss:
                return shift
    raise AssertionError(f"no window has the loss {first_loss}")

"""What documents and examples say is run."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from conftest import ROOT, tiny_model

import wisca

DOCUMENT = ROOT.parent / "docs" / "python.md"


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_snippet_of_the_document_runs(tmp_path, monkeypatch):
    tiny_model().save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    found = blocks(DOCUMENT.read_text(encoding="utf-8"))
    assert len(found) == 6
    namespace = {}
    for number, block in enumerate(found):
        exec(compile(block, f"python.md, snippet {number + 1}", "exec"), namespace)
    assert (tmp_path / "learned" / "config.json").is_file() and (tmp_path / "run" / "checkpoint-4" / "wisca.json").is_file()


def test_the_readmes_snippets_run(tmp_path, monkeypatch):
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.zeros(1, 8, dtype=torch.long)
    namespace = {"model": model, "optimizer": optimizer, "batches": [{"input_ids": ids, "labels": ids}]}
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) == 2
    for block in found:
        exec(block, namespace)
    assert namespace["w"].steps == 1


def test_the_document_names_all_arguments():
    import inspect

    text = DOCUMENT.read_text(encoding="utf-8")
    for name in list(inspect.signature(wisca.attach).parameters)[2:]:
        assert f"`{name}`" in text, name
    for name in wisca.__all__:
        assert name in text or name in ("Attachment", "RotationEvent", "TransitionEvent", "__version__", "library_version"), name


@pytest.mark.parametrize("which", ["tensor", "stacked"])
def test_the_numpy_example_is_the_command(tmp_path, which):
    np = pytest.importorskip("numpy", reason="the example needs numpy")
    from safetensors.torch import load_file

    tiny_model().save_pretrained(tmp_path / "model")
    if which == "tensor":
        told = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "numpy_checkpoint.py"), str(tmp_path / "model"), str(tmp_path / "out.safetensors")],
            capture_output=True, text=True, timeout=60)
        assert told.returncode == 0, told.stderr
        wisca.rescale(tmp_path / "model", tmp_path / "balanced", round="none")
        mine, other = load_file(tmp_path / "out.safetensors"), load_file(tmp_path / "balanced" / "model.safetensors")
        assert mine.keys() == other.keys() and all(torch.allclose(mine[name], other[name], rtol=3e-7, atol=0) for name in mine)
        assert told.stdout.count("factor") == 4
    else:
        sys.path.insert(0, str(ROOT / "examples"))
        try:
            import numpy_checkpoint
        finally:
            sys.path.pop(0)
        config = tiny_model().config.to_dict()
        arrays = numpy_checkpoint.read(tmp_path / "model" / "model.safetensors")
        before = {name: array.copy() for name, array in arrays.items()}
        numpy_checkpoint.balance({key: config[key] for key in config if key != "dtype"}, arrays, all=True, rounding="none")
        model = tiny_model()
        inputs = torch.arange(16)[None]
        with torch.no_grad():
            wanted = model(input_ids=inputs).logits
            model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
            assert (model(input_ids=inputs).logits - wanted).abs().max() < 1e-4
        assert not np.array_equal(before["model.norm.weight"], arrays["model.norm.weight"])

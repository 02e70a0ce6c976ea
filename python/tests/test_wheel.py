"""The wheel: built, installed into an environment of its own, and used there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT, tiny_model

import wisca
from wisca import _library

pytest.importorskip("build", reason="building a wheel needs 'build'")


def test_the_wheel_holds_the_library_and_works_alone(tmp_path):
    source = tmp_path / "source"
    import shutil

    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("tests", "bench", "build", "*.egg-info", "__pycache__", ".*"))
    environment = {**os.environ, "WISCA_LIBRARY": str(_library.library_path())}
    told = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(source)],
        capture_output=True, text=True, env=environment, timeout=120)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == f"wisca-{wisca.__version__}-py3-none-linux_x86_64.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {"wisca/libwisca.so", "wisca/py.typed", "wisca/_attachment.py"} <= set(names)
    assert not any("tests" in name or "bench" in name for name in names)

    # Without torch, and without this checkout.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True, timeout=60)
    site = next((tmp_path / "env" / "lib").glob("python3*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    tiny_model().save_pretrained(tmp_path / "model")
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "WISCA_LIBRARY")}
    python = str(tmp_path / "env" / "bin" / "python")
    told = subprocess.run(
        [python, "-c", "import wisca; r = wisca.rescale('model', 'out', round='pow2'); print(r['bit_exact'], wisca.verify('model', 'out')"
         "['equivalent'], wisca.__file__)"], cwd=tmp_path, capture_output=True, text=True, env=clean, timeout=60)
    assert told.stdout.split()[:2] == ["True", "True"] and str(tmp_path) in told.stdout, told
    told = subprocess.run([python, "-m", "wisca", "inspect", "model"], cwd=tmp_path, capture_output=True, text=True, env=clean, timeout=60)
    assert told.returncode == 0 and "llama" in told.stdout


def test_the_source_is_syntax_of_python_3_9():
    import ast

    paths = [*(ROOT / "src" / "wisca").glob("*.py"), *(ROOT / "examples").glob("*.py"), ROOT / "tests" / "torchless.py"]
    assert len(paths) > 12
    for path in paths:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))

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


# What came after 3.9 and reads as 3.9's syntax: keywords of calls, and attributes of modules.
LATER = {"zip": {"strict"}, "dataclass": {"slots", "kw_only", "match_args"}}
LATER_NAMES = {"pairwise", "bit_count", "aclosing", "EncodingWarning", "ExceptionGroup", "StrEnum", "TypeAlias", "ParamSpec", "tomllib"}


def later_than_3_9(source):
    """What of a source Python 3.9 does not know."""
    import ast

    tree = ast.parse(source, feature_version=(3, 9))
    lazy = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            found += [f"{name}({word.arg}=)" for word in node.keywords if word.arg in LATER.get(name, ())]
        elif isinstance(node, (ast.Attribute, ast.Name)) and getattr(node, "attr", getattr(node, "id", None)) in LATER_NAMES:
            found.append(ast.unparse(node))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [alias.name for alias in node.names if alias.name in LATER_NAMES]
        for annotation in () if lazy else (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None and any(isinstance(part, ast.BitOr) for part in ast.walk(annotation)):
                found.append(ast.unparse(annotation))
    return found


def test_the_source_is_python_3_9():
    # There is no 3.9 at hand to run it with: this sees syntax, and what is known to have come later.
    paths = [path for folder in ("src/wisca", "examples", "bench", "tests") for path in (ROOT / folder).glob("*.py")]
    assert len(paths) > 25
    for path in paths:
        assert later_than_3_9(path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize("source", [
    "zip([], [], strict=True)", "from itertools import pairwise", "(3).bit_count()", "def f(x: int | None): pass",
    "@dataclass(slots=True)\nclass A: pass", "import tomllib",
])
def test_what_python_3_9_does_not_know_is_seen(source):
    assert later_than_3_9(source)


def test_syntax_after_python_3_9_is_seen():
    with pytest.raises(SyntaxError):
        later_than_3_9("match 1:\n    case 1: pass")

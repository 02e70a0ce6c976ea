"""Each export of the library through ctypes, and what the package does where there is none."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from array import array

import pytest
from conftest import PACKAGES, ROOT, tiny_config, tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st

import wisca
from wisca import _library


def request(**changes):
    model = tiny_model()
    tensors = [{"name": name, "shape": list(p.shape), "dtype": "F32"} for name, p in model.named_parameters()]
    return {
        "config": json.loads(tiny_config().to_json_string()), "tensors": tensors, "transitions": {"preset": "qk_ten+vo_ten"},
        "rotations": None, **changes}


def answered(solve, value=lambda measure, index: 1.0 + index):
    """Provides numbers that say nothing of any model, until the solve is done."""
    while True:
        state = solve.next()
        if state["done"]:
            return state
        numbers = []
        for measure in state["measures"]:
            length = measure["length"] * (2 + measure["second_moments"]) if measure["kind"] == "axis" else measure["groups"]
            numbers += [value(measure, index) for index in range(length)]
        assert len(numbers) == state["count"]
        solve.provide(numbers)


def test_abi_and_version():
    assert _library.load().wisca_abi() >> 16 == _library.ABI_MAJOR
    assert wisca.library_version().split("+")[0] == wisca.__version__


def test_a_plan_describes_exchanges_slices_and_refusals():
    plan = wisca.Plan(request(rotations={"stream": True, "values": True}))
    told = plan.describe()
    assert told["architecture"] == "llama"
    assert [entry["kind"] for entry in told["exchanges"]] == ["qk", "vo"] * 2
    assert {piece["exponent"] for piece in told["exchanges"][0]["slices"]} == {1, -1}
    assert [space["size"] for space in told["spaces"]] == [32, 8, 8, 8, 8]
    assert told["refusals"] == [] and told["rotation_refusals"][0]["kind"] == "qk"


def test_bad_requests_are_told_in_words():
    for change, words in (
        ({"config": {}}, "model_type"), ({"tensors": []}, "tensor"), ({"transitions": {"qk": "half"}}, "half"),
        ({"nonsense": 1}, "nonsense"), ({"transitions": {"preset": "qk_ten", "colour": 1}}, "colour"),
    ):
        with pytest.raises(wisca.WiscaError) as raised:
            wisca.Plan(request(**change))
        assert words in str(raised.value), str(raised.value)
        assert "wisca.h" not in str(raised.value)


def test_a_request_that_is_none_points_to_pythons_own_document():
    with pytest.raises(wisca.WiscaError) as raised:
        wisca.Plan(request(nonsense=1))
    assert raised.value.hint == "docs/python.md says what is expected"
    assert (ROOT.parent / "docs" / "python.md").is_file()
    # An error that the user's model has keeps the library's hint.
    with pytest.raises(wisca.WiscaError) as raised:
        wisca.inspect("/no such folder")
    assert raised.value.hint and "python.md" not in raised.value.hint


def test_what_needs_no_torch_runs_in_a_process_without_it():
    told = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "torchless.py")], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": PACKAGES})
    assert told.returncode == 0 and told.stdout.startswith("ok"), told


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_text_as_a_request_is_an_error_and_no_crash(text):
    with pytest.raises(wisca.WiscaError):
        _library._new("wisca_plan_new", text.replace("\0", "").encode("utf-8", "replace"))


def test_a_solve_gives_factors_by_the_norms():
    solve = wisca.Solve(wisca.Plan(request()))
    state = answered(solve, lambda measure, index: 4.0 if "q_proj" in measure["tensor"] or "v_proj" in measure["tensor"] else 1.0)
    groups = {(group["layer"], group["kind"]): group for group in state["groups"]}
    # |W_q| = 4 * 32 rows, |W_k| = 16 rows: s = sqrt(16 / 128). |W_v| = 4 * 16 rows, |W_o| = 32 columns.
    assert math.isclose(groups[0, "qk"]["factor"], math.sqrt(16 / 128), rel_tol=1e-12)
    assert math.isclose(groups[0, "vo"]["factor"], math.sqrt(32 / 64), rel_tol=1e-12)
    factors, start = solve.factors(state["count"]), 0
    for entry in state["factors"]:
        values = factors[start : start + entry["rows"] + entry["columns"]]
        start += len(values)
        kind = next(kind for kind in "qkvo" if f"{kind}_proj" in entry["tensor"])
        s = groups[0, "qk" if kind in "qk" else "vo"]["factor"]
        assert all(math.isclose(value, s if kind in "qv" else 1 / s, rel_tol=1e-12) for value in values)
    assert start == state["count"]


def test_nan_is_refused_by_the_tensors_name():
    solve = wisca.Solve(wisca.Plan(request()))
    with pytest.raises(wisca.WiscaError, match="q_proj"):
        answered(solve, lambda measure, index: math.nan if "q_proj" in measure["tensor"] else 1.0)


def test_too_few_numbers_are_refused():
    solve = wisca.Solve(wisca.Plan(request()))
    solve.next()
    with pytest.raises(wisca.WiscaError):
        solve.provide([1.0])


def test_a_ledger_records_keeps_and_undoes():
    plan = wisca.Plan(request())
    ledger = wisca.Ledger(plan)
    solve = wisca.Solve(plan)
    state = answered(solve)
    ledger.record(solve)
    ledger.record(solve)
    again = wisca.Ledger(plan, ledger.state())
    assert again.state() == ledger.state()
    back = again.undo()
    done = back.next()
    assert done["done"] and done["count"] == state["count"]
    product = [f * f * b for f, b in zip(solve.factors(state["count"]), back.factors(done["count"]))]
    assert all(math.isclose(value, 1, rel_tol=1e-12) for value in product)
    with pytest.raises(wisca.WiscaError):
        wisca.Ledger(plan, "{}")


def test_a_ledger_is_written_beside_a_saved_model_and_undone_on_disk(tmp_path):
    import torch

    model = tiny_model()
    model.save_pretrained(tmp_path / "before")
    attachment = wisca.attach(model, torch.optim.SGD(model.parameters()), round="pow2")
    model.save_pretrained(tmp_path / "after")
    attachment.save(tmp_path / "after")
    told = json.loads((tmp_path / "after" / "wisca.json").read_text())
    assert len(told["moves"]) == 1
    wisca.undo(tmp_path / "after", tmp_path / "back")
    back, before = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("back", "before"))
    assert back[-1000:] == before[-1000:]
    with pytest.raises(wisca.WiscaError):
        attachment.save(tmp_path / "nowhere")


def matrix(values, n):
    return [list(values[row * n : (row + 1) * n]) for row in range(n)]


def gram(rows):
    return [[sum(a * b for a, b in zip(x, y)) for y in rows] for x in rows]


@pytest.mark.parametrize("make", [_library.basis_random, _library.basis_hadamard])
def test_bases_are_orthogonal_and_follow_from_the_seed(make):
    values = make(12, 3, False)
    product = gram(matrix(values, 12))
    assert all(abs(product[i][j] - (i == j)) < 1e-13 for i in range(12) for j in range(12))
    assert make(12, 3, False) == values and make(12, 4, False) != values


def test_a_basis_keeps_ones():
    rows = matrix(_library.basis_random(9, 1, True), 9)
    assert all(abs(sum(row[column] for row in rows) - 1) < 1e-12 for column in range(9))
    covariance = array("d", [float(i == j) * (i + 1) for i in range(4) for j in range(4)])
    smaller = _library.basis_beside_ones(4, covariance)
    assert len(smaller) == 9
    # The trace without what lies along the ones.
    assert math.isclose(sum(smaller[4 * index] for index in range(3)), 10 - 10 / 4, rel_tol=1e-12)
    whole = matrix(_library.basis_keeping_ones(4, _library.basis_random(3, 1)), 4)
    assert all(abs(sum(row) - 1) < 1e-12 for row in whole)


def test_nearest_orders_and_signs():
    vectors = array("d", [0, -1, 0, 0, 0, 1, 1, 0, 0])
    assert list(_library.basis_nearest(3, vectors)) == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_gains_follow():
    identity = array("d", [1, 0, 0, 1])
    assert list(_library.gains_follow(2, array("d", [2, -3]), identity)) == [2, -3]
    half = math.sqrt(0.5)
    after = _library.gains_follow(2, array("d", [1, 3]), array("d", [half, -half, half, half]))
    assert all(math.isclose(value, math.sqrt(5), rel_tol=1e-12) for value in map(abs, after))
    with pytest.raises(wisca.WiscaError):
        _library.gains_follow(2, array("d", [1, 1e-9]), identity)


def test_hadamard_where_there_is_none():
    with pytest.raises(wisca.WiscaError):
        _library.basis_hadamard(7, 1)


def test_handles_from_several_threads():
    failures = []

    def work():
        try:
            for _ in range(5):
                answered(wisca.Solve(wisca.Plan(request())))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_closed_handle_is_no_crash():
    plan = wisca.Plan(request())
    plan.close()
    plan.close()
    with pytest.raises(ValueError):
        plan.describe()


def python(code, **environment):
    import os

    full = {**os.environ, "PYTHONPATH": PACKAGES, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=full, timeout=60)


def test_without_a_library_the_error_says_what_to_do():
    told = python("import wisca\ntry: wisca.inspect('x')\nexcept wisca.WiscaError as e: print(e)", WISCA_LIBRARY="/nowhere/lib.so")
    assert told.stdout.startswith("WISCA_LIBRARY is /nowhere/lib.so, which is no file\nhint: "), told
    told = python(
        "import wisca\ntry: wisca.inspect('x')\nexcept wisca.WiscaError as e: print(e)", WISCA_LIBRARY=str(ROOT / "tests" / "conftest.py"))
    assert "cannot be used" in told.stdout, told


def test_torch_is_not_imported_before_it_is_needed():
    told = python("import wisca, sys\nprint('torch' in sys.modules, 'numpy' in sys.modules)")
    assert told.stdout.strip() == "False False", told


def test_without_torch_attach_says_so():
    told = python(
        "import sys; sys.modules['torch'] = None\nimport wisca\ntry: wisca.attach\nexcept wisca.WiscaError as e: print(e)")
    assert told.stdout.startswith("wisca.attach needs torch, which is not installed"), told

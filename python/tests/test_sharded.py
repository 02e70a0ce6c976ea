"""FSDP2, tensor parallelism and data parallelism in processes of gloo, against one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from conftest import PACKAGES, ROOT
from plain import CONFIG, Plain

torch_distributed = pytest.importorskip("torch.distributed.tensor", reason="this torch has no DTensor")

import sharded  # noqa: E402

import wisca  # noqa: E402
from wisca._shards import Shard, axis_sums, scale_, turn_  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two and three processes found, of all ways to shard."""
    folder = tmp_path_factory.mktemp("sharded")
    jobs = {2: ("fsdp", "tp", "ddp"), 3: ("fsdp", "tp")}
    arguments = [word for count, hows in jobs.items() for word in ("fork", str(count), str(folder / f"{count}.json"), ",".join(hows))]
    told = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "sharded.py"), *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"})
    assert told.returncode == 0, told.stderr[-3000:]
    return {
        (how, count): runs for count in jobs for how, runs in json.loads((folder / f"{count}.json").read_text()).items()}


@pytest.fixture(scope="module")
def alone():
    return {name: sharded.results("none", name) for name in sharded.RUNS}


WAYS = [("fsdp", 2), ("tp", 2), ("ddp", 2), ("fsdp", 3), ("tp", 3)]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}{way[1]}")
@pytest.mark.parametrize("name", sharded.RUNS)
def test_processes_give_what_one_gives(found, alone, way, name):
    many, one = found[way][name], alone[name]
    assert many["counts"] == one["counts"] and sum(one["counts"][1:]) > 0
    if name == "pow2":
        # Bit for bit, factors and all.
        assert many == one and any(factor != 1 for factor in one["factors"])
        return
    assert many["factors"] == pytest.approx(one["factors"], rel=1e-9)
    for kind in ("weights", "exp_avg", "exp_avg_sq", "undone"):
        for key, values in one[kind].items():
            a, b = torch.tensor(many[kind][key]), torch.tensor(values)
            assert (a - b).abs().max() <= 1e-6 * b.abs().max(), (kind, key)


@pytest.mark.parametrize("way", [way for way in WAYS if way[0] != "tp"], ids=lambda way: f"{way[0]}{way[1]}")
def test_a_real_training(found, way):
    assert found[way]["trained"] == pytest.approx(sharded.trained("none"), rel=2e-5)


def test_torchs_launcher_runs_it_too(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(ROOT / "tests" / "sharded.py"),
         str(tmp_path / "2.json"), "fsdp"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"})
    assert told.returncode == 0 and "fsdp" in json.loads((tmp_path / "2.json").read_text()), told.stderr[-3000:]


def test_undone_is_what_it_began_as(alone):
    before = {key: sharded.full(value) for key, value in Plain().named_parameters()}
    fresh = Plain()
    attachment = wisca.attach(fresh, torch.optim.SGD(fresh.parameters()), config=CONFIG, **sharded.RUNS["pow2"])
    assert {key: sharded.full(value) for key, value in fresh.named_parameters()} != before
    attachment.undo()
    assert {key: sharded.full(value) for key, value in fresh.named_parameters()} == before


def parts_of(whole, cuts):
    """A tensor cut into pieces as processes would hold it."""
    pieces = [(whole.clone(), (0,) * whole.dim())]
    for axis, count in cuts:
        cut = []
        for piece, offset in pieces:
            start = 0
            for chunk in piece.chunk(count, axis):
                place = list(offset)
                place[axis] += start
                start += chunk.shape[axis]
                cut.append((chunk.clone(), tuple(place)))
        pieces = cut
    return [Shard(piece, offset, tuple(whole.shape)) for piece, offset in pieces]


def assembled(shards):
    whole = torch.empty(shards[0].shape, dtype=shards[0].local.dtype)
    for shard in shards:
        part = whole
        for axis, (start, length) in enumerate(zip(shard.offset, shard.local.shape)):
            part = part.narrow(axis, start, length)
        part.copy_(shard.local)
    return whole


@pytest.mark.parametrize("shape, cuts", [
    ((7, 5), [(0, 3)]), ((7, 5), [(1, 2)]), ((8, 6), [(0, 2), (1, 3)]), ((9,), [(0, 2)]), ((4, 6, 5), [(0, 2)]), ((4, 6, 5), [(1, 3)]),
    ((4, 6, 5), [(2, 2), (0, 4)]), ((6, 5), []),
])
def test_parts_are_measured_and_scaled_as_the_whole(shape, cuts):
    torch.manual_seed(1)
    whole = torch.randn(shape)
    wide = whole.double().reshape(-1, shape[-1]) if len(shape) > 1 else whole.double().unsqueeze(1)
    rows, columns = torch.rand(wide.shape[0]).double() + 0.5, torch.rand(wide.shape[1]).double() + 0.5
    shards = parts_of(whole, cuts)
    assert len(cuts) == 0 or len(shards) > 1
    for adds_one in (False, True):
        base = wide + adds_one
        for axis, others in ((0, None), (0, columns), (1, None), (1, rows)):
            if axis == 1 and len(shape) == 1 or (len(shape) == 1 and others is not None):
                continue
            values = base if others is None else base * (others if axis == 0 else others[:, None])
            wanted = torch.stack([values.abs().sum(1 - axis), values.square().sum(1 - axis)])
            got = sum(axis_sums(shard, axis, 1, adds_one, others) for shard in shards)
            assert torch.allclose(got, wanted, rtol=1e-13)
        both = (rows, None) if len(shape) == 1 else (rows, columns)
        copies = parts_of(whole, cuts)
        for shard in copies:
            scale_(shard, *both, adds_one=adds_one)
        factor = rows[:, None] * (1 if len(shape) == 1 else columns)
        wanted = (((wide + 1) * factor - 1) if adds_one else wide * factor).float().reshape(shape)
        assert torch.equal(assembled(copies), wanted)
    if len(shape) == 3:
        by_part = torch.rand(shape[0] * shape[-1]).double() + 0.5
        got = sum(axis_sums(shard, 1, shape[0]) for shard in shards)
        assert torch.allclose(got[0], whole.double().abs().sum(1).reshape(-1), rtol=1e-13)
        copies = parts_of(whole, cuts)
        for shard in copies:
            scale_(shard, None, by_part)
        assert torch.equal(assembled(copies), (whole.double() * by_part.view(shape[0], 1, -1)).float())
        got = sum(axis_sums(shard, 0, 1, False, by_part) for shard in shards)
        assert torch.allclose(got[0], (whole.double() * by_part.view(shape[0], 1, -1)).abs().sum(-1).reshape(-1), rtol=1e-13)


def test_a_turn_of_a_part_of_an_axis():
    torch.manual_seed(2)
    whole = torch.randn(6, 8, dtype=torch.float64)
    matrix = torch.randn(3, 3, dtype=torch.float64)
    copy = whole.clone()
    turn_(Shard(copy, (0, 0), (6, 8)), 1, 4, matrix)
    assert torch.allclose(copy[:, 4:7], whole[:, 4:7] @ matrix) and torch.equal(copy[:, :4], whole[:, :4])
    copy = whole.clone()
    turn_(Shard(copy, (0, 0), (6, 8)), 0, 1, matrix)
    assert torch.allclose(copy[1:4], matrix.T @ whole[1:4]) and torch.equal(copy[4:], whole[4:])


def test_a_device_without_float64_is_refused():
    from wisca._shards import _check_device

    class OnMps:
        device = torch.device("mps")

    with pytest.raises(wisca.WiscaError, match="no float64"):
        _check_device(OnMps(), "model.norm.weight")

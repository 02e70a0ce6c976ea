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
    jobs = {2: ("fsdp", "tp", "ddp", "zero1", "zero3", "zero1-half", "zero3-half"), 3: ("fsdp", "tp", "zero1", "zero3")}
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


ZERO = [("zero1", 2), ("zero3", 2), ("zero1", 3), ("zero3", 3)]


@pytest.mark.parametrize("way", ZERO, ids=lambda way: f"{way[0]}-{way[1]}")
@pytest.mark.parametrize("name", sharded.ZERO)
def test_flat_partitions_give_what_whole_parameters_give(found, alone, way, name):
    test_processes_give_what_one_gives(found, alone, way, name)


@pytest.mark.parametrize("way", [("zero1-half", 2), ("zero3-half", 2)], ids=lambda way: way[0])
def test_float32_copies_are_what_moves(found, way):
    """A bfloat16 model: powers of two move the float32 copies to the bit, and the model holds them rounded (its process says so)."""
    run = found[way]["pow2"]
    assert run["counts"][1] == 4 and any(factor != 1 for factor in run["factors"])
    other = found["zero3-half" if way[0] == "zero1-half" else "zero1-half", 2]["pow2"]
    assert {key: run[key] for key in ("weights", "exp_avg", "undone")} == {key: other[key] for key in ("weights", "exp_avg", "undone")}


@pytest.mark.parametrize("shape, cuts", [((7, 5), (3, 9, 22)), ((9,), (4,)), ((4, 6, 5), (1, 7, 64, 100)), ((6, 5), (5, 10)), ((3, 1), (1,))])
def test_runs_of_a_flattened_tensor_are_measured_and_scaled_as_the_whole(shape, cuts):
    torch.manual_seed(3)
    whole = torch.randn(shape)
    wide = whole.double().reshape(-1, shape[-1]) if len(shape) > 1 else whole.double().unsqueeze(1)
    rows, columns = torch.rand(wide.shape[0]).double() + 0.5, torch.rand(wide.shape[1]).double() + 0.5
    edges = (0, *cuts, whole.numel())
    stored = []
    runs = [
        Shard(whole.flatten()[first:last].clone(), (), shape, start=first, store=stored.append) for first, last in zip(edges, edges[1:])]
    # One holds nothing.
    runs.append(Shard(torch.empty(0), (), shape, start=whole.numel(), store=stored.append))
    for axis in range(min(2, len(shape))):
        wanted = torch.stack([wide.abs().sum(1 - axis), wide.square().sum(1 - axis)])
        assert torch.allclose(sum(axis_sums(run, axis) for run in runs), wanted, rtol=1e-13)
    assert not stored
    for run in runs:
        scale_(run, rows, None if len(shape) == 1 else columns)
    wanted = (wide * rows[:, None] * (1 if len(shape) == 1 else columns)).float()
    assert torch.equal(torch.cat([run.local for run in runs]), wanted.flatten()) and len(stored) == len(runs)


@pytest.mark.parametrize("options, words", [
    (dict(rotate=dict(stream="weights")), "rotations: not with DeepSpeed's ZeRO"),
    (dict(criterion="spectral"), "criterion spectral: not with DeepSpeed's ZeRO"),
    (dict(averages=[{}]), "averages and masters: not with"),
])
def test_what_flat_partitions_do_not_allow(options, words):
    model = Plain()
    zero = type("DeepSpeedZeroOptimizer", (), {"dp_process_group": None})()
    zero.optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter._hp_mapping, parameter._dp_group = None, None
    with pytest.raises(wisca.WiscaError, match=words):
        wisca.attach(model, zero, config=CONFIG, **options)


def test_fsdp1_is_refused_in_one_line(tmp_path):
    from torch.distributed.fsdp import FullyShardedDataParallel

    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        model = FullyShardedDataParallel(Plain(), device_id=torch.device("cpu"))
        with pytest.raises(wisca.WiscaError, match="FSDP1") as refused:
            wisca.attach(model, torch.optim.SGD(model.parameters()), config=CONFIG)
        assert "\n" not in refused.value.message and refused.value.hint.startswith("use fully_shard (FSDP2)")
    finally:
        torch.distributed.destroy_process_group()


def test_an_old_deepspeed_that_tells_nothing_is_refused():
    model = Plain()
    zero = type("DeepSpeedZeroOptimizer", (), {})()
    zero.optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(wisca.WiscaError, match="does not tell where the float32 parameters"):
        wisca.attach(model, zero, config=CONFIG)


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

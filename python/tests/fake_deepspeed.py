"""DeepSpeed as far as Wisca asks it: ZeRO's flat partitions under DeepSpeed's names, without DeepSpeed.

Made from the published interface: `parameter._hp_mapping` and `_dp_group` of stages 1 and 2, `ds_id`, `ds_shape` and `ds_tensor` of
stage 3, and the functions of `deepspeed.utils`. Partitions of stage 3 are handed out as copies, as with offloading.
"""

from __future__ import annotations

import sys
import types
from types import SimpleNamespace

import torch
import torch.distributed as dist


class _Fragment:
    def __init__(self, optimizer, address, start, numel):
        self.optimizer, self.lp_fragment_address = optimizer, SimpleNamespace(start=address, numel=numel)
        self.start, self.numel = start, numel

    def get_hp_fragment(self, optim_state_key=None):
        flat = self.optimizer.flat
        source = flat if optim_state_key is None else self.optimizer.optimizer.state[flat][optim_state_key]
        return source.narrow(0, self.start, self.numel)


class DeepSpeedZeroOptimizer:
    """Stages 1 and 2: all parameters one behind the other, cut into a run for each process."""

    def __init__(self, model, make, group):
        self.dp_process_group, self.parameters = group, list(model.parameters())
        rank, count = dist.get_rank(group), dist.get_world_size(group)
        whole = torch.cat([p.detach().flatten().to(self.kind(p)) for p in self.parameters])
        self.length = whole.numel()
        self.size = -(-self.length // count)
        whole = torch.nn.functional.pad(whole, (0, self.size * count - self.length))
        self.flat = torch.nn.Parameter(whole[rank * self.size : (rank + 1) * self.size].clone())
        self.optimizer = make([self.flat])
        first, at = rank * self.size, 0
        for p in self.parameters:
            begin, end = max(at, first), min(at + p.numel(), first + self.size)
            p._dp_group = group
            p._hp_mapping = None if begin >= end else _Fragment(self, begin - at, begin - first, end - begin)
            at += p.numel()

    @staticmethod
    def kind(p):
        return torch.float64 if p.dtype == torch.float64 else torch.float32

    state = property(lambda self: self.optimizer.state)
    param_groups = property(lambda self: self.optimizer.param_groups)

    def whole_of(self, p, key=None):
        found = torch.zeros(p.numel(), dtype=self.kind(p))
        if p._hp_mapping is not None:
            address = p._hp_mapping.lp_fragment_address
            found[address.start : address.start + address.numel] = p._hp_mapping.get_hp_fragment(key)
        dist.all_reduce(found, group=self.dp_process_group)
        return found.view(p.shape)

    def step(self, gradients):
        self.flat.grad = torch.zeros_like(self.flat)
        for p, gradient in zip(self.parameters, gradients):
            if p._hp_mapping is not None:
                here, address = p._hp_mapping, p._hp_mapping.lp_fragment_address
                self.flat.grad[here.start : here.start + here.numel] = gradient.flatten()[address.start : address.start + address.numel]
        self.optimizer.step()
        for p in self.parameters:
            p.data.copy_(self.whole_of(p))


class DeepSpeedZeroOptimizer_Stage3(DeepSpeedZeroOptimizer):
    """Stage 3: each parameter cut into a run for each process, padded to one length; the parameter itself is empty."""

    def __init__(self, model, make, group):
        self.dp_process_group, self.parameters = group, list(model.parameters())
        rank, count = dist.get_rank(group), dist.get_world_size(group)
        self.places, pieces, at = {}, [], 0
        for index, p in enumerate(self.parameters):
            size = -(-p.numel() // count)
            padded = torch.nn.functional.pad(p.detach().flatten(), (0, size * count - p.numel()))
            p.ds_id, p.ds_shape, p._z3_optimizer = index, p.shape, self
            p.ds_tensor = padded[rank * size : (rank + 1) * size].clone()
            pieces.append(p.ds_tensor.to(self.kind(p)))
            self.places[index] = at, size
            at += size
            p.data = torch.empty(0, dtype=p.dtype)
        self.flat = torch.nn.Parameter(torch.cat(pieces))
        self.optimizer = make([self.flat])

    def local(self, p, key=None):
        source = self.flat.data if key is None else self.optimizer.state[self.flat][key]
        return source.narrow(0, *self.places[p.ds_id])

    def whole_of(self, p, key=None):
        local = self.local(p, key)
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size(self.dp_process_group))]
        dist.all_gather(parts, local.contiguous(), group=self.dp_process_group)
        return torch.cat(parts)[: p.ds_shape.numel()].view(p.ds_shape)

    def step(self, gradients):
        rank, count = dist.get_rank(self.dp_process_group), dist.get_world_size(self.dp_process_group)
        self.flat.grad = torch.zeros_like(self.flat)
        for p, gradient in zip(self.parameters, gradients):
            at, size = self.places[p.ds_id]
            padded = torch.nn.functional.pad(gradient.flatten(), (0, size * count - gradient.numel()))
            self.flat.grad[at : at + size] = padded[rank * size : (rank + 1) * size]
        self.optimizer.step()
        for p in self.parameters:
            p.ds_tensor.copy_(self.local(p))


class DeepSpeedEngine(torch.nn.Module):
    """What deepspeed.initialize returns, as far as names go."""

    def __init__(self, model, optimizer):
        super().__init__()
        self.module, self.optimizer = model, optimizer


def _set(p, value, key=None):
    assert value.numel() == p.ds_tensor.numel()
    p._z3_optimizer.local(p, key).copy_(value.flatten())


def install():
    """Makes `from deepspeed import utils` find the fake."""
    utils = types.ModuleType("deepspeed.utils")
    utils.safe_get_full_fp32_param = lambda p: (p._z3_optimizer if hasattr(p, "ds_id") else p._hp_owner).whole_of(p)
    utils.safe_get_local_fp32_param = lambda p: p._z3_optimizer.local(p).clone()
    utils.safe_get_local_optimizer_state = lambda p, optim_state_key: p._z3_optimizer.local(p, optim_state_key).clone()
    utils.safe_set_local_fp32_param = _set
    utils.safe_set_local_optimizer_state = _set
    deepspeed = types.ModuleType("deepspeed")
    deepspeed.utils = utils
    sys.modules["deepspeed"], sys.modules["deepspeed.utils"] = deepspeed, utils


def initialize(model, make, stage, group):
    """The engine and its optimizer."""
    install()
    kind = DeepSpeedZeroOptimizer_Stage3 if stage == 3 else DeepSpeedZeroOptimizer
    optimizer = kind(model, make, group)
    for p in optimizer.parameters:
        p._hp_owner = optimizer
    return DeepSpeedEngine(model, optimizer), optimizer

"""What one of several processes does: a model is sharded over them, and what transitions make of it is written as JSON.

Gradients are drawn instead of computed, so that all that differs from one process is what is to be tested. Run by
torch.distributed.run, the arguments are the file to write, and the ways to shard; `fork N` before them makes N processes itself, which
saves importing torch in each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback

import torch
import torch.distributed as dist
from fake_deepspeed import initialize
from plain import CONFIG, Plain

import wisca
from wisca._shards import shard_of

RUNS = {
    "pow2": dict(preset="qk_row+vo_row", round="pow2", every=3),
    "all": dict(all=True, round="none", every=3),
    "spectral": dict(qk="kv_head", vo="tensor", criterion="spectral", round="none", every=3),
    "fisher": dict(preset="qk_ten+vo_ten", criterion="fisher", round="none", every=3, init=False),
    "momentum": dict(rotate=dict(stream="momentum", every=3, start=3, values="same")),
    "gradient": dict(preset="qk_ten+vo_ten", every=3, rotate=dict(stream="gradient", every=3, start=3, gains="follow", state="mix")),
}
# What ZeRO's runs of flattened parameters allow.
ZERO = ("pow2", "all", "fisher")


def sharded(model, how):
    if how == "none":
        return model
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    if how == "fsdp":
        from torch.distributed.fsdp import fully_shard

        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    elif how == "tp":
        from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

        column, row = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"), ("o_proj", "down_proj")
        for layer in model.model.layers:
            parallelize_module(layer, mesh, {
                **{f"{'mlp' if 'gate' in name or 'up' in name else 'self_attn'}.{name}": ColwiseParallel() for name in column},
                **{f"{'mlp' if 'down' in name else 'self_attn'}.{name}": RowwiseParallel() for name in row}})
    elif how == "ddp":
        return torch.nn.parallel.DistributedDataParallel(model)
    return model


def full(tensor):
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).detach().double().flatten().tolist()


def drawn(model, step):
    """The same gradients in every process, each holding its part."""
    generator = torch.Generator().manual_seed(step)
    for _, parameter in model.named_parameters():
        whole = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        whole = whole * torch.linspace(0.1, 2, whole.shape[-1], dtype=whole.dtype)
        parameter.grad = torch.zeros_like(parameter)
        shard = shard_of(parameter.grad)
        shard.local.copy_(shard.part_of(whole))


def results(how, name):
    """Weights, moments and counts after ten steps, and weights taken back."""
    options = dict(RUNS[name])
    model = Plain(dtype=torch.float32 if options.get("round") == "pow2" else torch.float64)
    run = sharded(model, how)
    optimizer = torch.optim.AdamW(run.parameters(), lr=1e-3, foreach=False)
    attachment = wisca.attach(run, optimizer, config=CONFIG, **options)
    factors = [group["factor"] for event in attachment.events for group in event.groups]
    for step in range(10):
        drawn(model, step)
        optimizer.step()
        factors += [
            group["factor"] for event in attachment.step() if isinstance(event, wisca.TransitionEvent) for group in event.groups]
    found = {"factors": factors, "counts": [attachment.steps, attachment.transitions, attachment.rotations]}
    found["weights"] = {key: full(value) for key, value in model.named_parameters()}
    for moment in ("exp_avg", "exp_avg_sq"):
        found[moment] = {key: full(optimizer.state[value][moment]) for key, value in model.named_parameters()}
    saved = attachment.state_dict()
    attachment.undo()
    found["undone"] = {key: full(value) for key, value in model.named_parameters()}
    found["ledger"] = saved["ledger"]
    return found


def partitioned(how, name):
    """The same of ZeRO's flat partitions; `half` keeps the model in bfloat16 beside them."""
    options = dict(RUNS[name])
    model = Plain(dtype=torch.float32 if options.get("round") == "pow2" else torch.float64)
    shapes = {key: value.shape for key, value in model.named_parameters()}
    if "half" in how:
        model = model.to(torch.bfloat16)
    parameters = dict(model.named_parameters())
    engine, optimizer = initialize(
        model, lambda flat: torch.optim.AdamW(flat, lr=1e-3, foreach=False), 3 if "3" in how else 1, dist.group.WORLD)
    attachment = wisca.attach(engine, optimizer, config=CONFIG, **options)
    factors = [group["factor"] for event in attachment.events for group in event.groups]
    for step in range(10):
        generator = torch.Generator().manual_seed(step)
        gradients = []
        for key, parameter in parameters.items():
            whole = torch.randn(shapes[key], generator=generator, dtype=optimizer.kind(parameter))
            gradients.append(whole * torch.linspace(0.1, 2, whole.shape[-1], dtype=whole.dtype))
        optimizer.step(gradients)
        factors += [group["factor"] for event in attachment.step() for group in event.groups]

    def all_of(key=None):
        return {key_: optimizer.whole_of(value, key).detach().double().flatten().tolist() for key_, value in parameters.items()}

    found = {"factors": factors, "counts": [attachment.steps, attachment.transitions, attachment.rotations], "weights": all_of()}
    for moment in ("exp_avg", "exp_avg_sq"):
        found[moment] = all_of(moment)
    # What the forward pass reads is the float32 copy, rounded.
    for value in parameters.values():
        whole = optimizer.whole_of(value).to(value.dtype)
        if "3" not in how:
            assert torch.equal(value.detach(), whole)
            continue
        parts = [torch.empty_like(value.ds_tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, value.ds_tensor)
        assert torch.equal(torch.cat(parts)[: whole.numel()].view(whole.shape), whole)
    saved = attachment.state_dict()
    attachment.undo()
    found["undone"] = all_of()
    found["ledger"] = saved["ledger"]
    return found


def trained(how):
    """Losses of a real training."""
    model = Plain()
    run = sharded(model, how)
    optimizer = torch.optim.AdamW(run.parameters(), lr=1e-3)
    attachment = wisca.attach(
        run, optimizer, config=CONFIG, round="pow2", every=3, rotate=dict(stream="gradient", every=4), qk="pair")
    losses = []
    for step in range(7):
        ids = torch.randint(0, 64, (4, 16), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.cross_entropy(run(ids)[:, :-1].reshape(-1, 64), ids[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        attachment.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def main(path, *hows):
    dist.init_process_group("gloo")
    found = {
        how: {name: partitioned(how, name) for name in ZERO} if how.startswith("zero") else {name: results(how, name) for name in RUNS}
        for how in hows}
    for how in hows:
        if how != "tp" and not how.startswith("zero"):
            found[how]["trained"] = trained(how)
    if dist.get_rank() == 0:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(found, file)
    dist.destroy_process_group()


def fork(count, *arguments):
    """Makes so many processes of this one, and returns the worst of their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(count):
        child = os.fork()
        if child == 0:
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            try:
                main(*arguments)
                sys.stdout.flush()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] != "fork":
        main(*sys.argv[1:])
    else:
        # fork N PATH HOW,HOW ... for as many runs as there are.
        jobs = [sys.argv[index + 1 : index + 4] for index, word in enumerate(sys.argv) if word == "fork"]
        for number, path, hows in jobs:
            if fork(int(number), path, *hows.split(",")):
                sys.exit(1)

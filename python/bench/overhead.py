"""What transitions cost: of a step without one, and of one against the memory traffic that it needs.

    python bench/overhead.py [--layers N] [--hidden N]

Prints JSON. A transition reads each weight once, and reads and writes weight, momentum and second moment once; the yardstick is an
in-place multiplication of the same bytes by a number that is no power of two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch

import wisca

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def per_step(steps=200):
    """Seconds of a training step of a small model, and of `step()` and the hook where nothing is due."""
    from plain import CONFIG, Plain

    model = Plain()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    attachment = wisca.attach(model, optimizer, config=CONFIG, every=10**9, preset="qk_ten+vo_ten", rotate=dict(
        stream="momentum", start=10**9))
    training, attached = [], []
    for step in range(steps):
        ids = torch.randint(0, 64, (64, 32))
        began = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(model(ids)[:, :-1].reshape(-1, 64), ids[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        middle = time.perf_counter()
        attachment.step()
        ended = time.perf_counter()
        training.append(middle - began)
        attached.append(ended - middle)
    return statistics.median(training), statistics.median(attached)


class Names(torch.nn.Module):
    """Parameters under a Llama's names, without a forward pass."""

    def __init__(self, shapes):
        super().__init__()
        for name, shape in shapes.items():
            module = self
            *path, last = name.split(".")
            for part in path:
                if part not in module._modules:
                    module.add_module(part, torch.nn.Module())
                module = module._modules[part]
            module.register_parameter(last, torch.nn.Parameter(torch.empty(shape).normal_(0, 0.02)))


def llama(hidden, layers, vocabulary):
    config = {
        "model_type": "llama", "hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64, "num_key_value_heads": hidden // 256, "head_dim": 64, "vocab_size": vocabulary,
        "tie_word_embeddings": False, "rms_norm_eps": 1e-6,
    }
    kv, mlp = hidden // 4, config["intermediate_size"]
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,), "lm_head.weight": (vocabulary, hidden)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        shapes.update({
            prefix + "self_attn.q_proj.weight": (hidden, hidden), prefix + "self_attn.k_proj.weight": (kv, hidden),
            prefix + "self_attn.v_proj.weight": (kv, hidden), prefix + "self_attn.o_proj.weight": (hidden, hidden),
            prefix + "mlp.gate_proj.weight": (mlp, hidden), prefix + "mlp.up_proj.weight": (mlp, hidden),
            prefix + "mlp.down_proj.weight": (hidden, mlp), prefix + "input_layernorm.weight": (hidden,),
            prefix + "post_attention_layernorm.weight": (hidden,),
        })
    return config, shapes


def fastest(function, times=3):
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def transitions(hidden, layers, vocabulary=8192):
    """Seconds of a transition, and of multiplying the same tensors in place."""
    config, shapes = llama(hidden, layers, vocabulary)
    model = Names(shapes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.tensor(1.0), "exp_avg": torch.rand_like(parameter), "exp_avg_sq": torch.rand_like(parameter)}
    count = sum(parameter.numel() for parameter in model.parameters())
    results = {"parameters": count}
    for name, options in {
        "qk_ten+vo_ten": dict(preset="qk_ten+vo_ten", round="none"), "qk_ten+vo_ten pow2": dict(preset="qk_ten+vo_ten", round="pow2"),
        "qk_row+vo_row": dict(preset="qk_row+vo_row", round="none"), "mlp channel": dict(mlp="channel", round="none"),
    }.items():
        # A criterion of means and a norm that is off, so that there is something to do each time.
        attachment = wisca.attach(model, optimizer, config=config, init=False, hysteresis=0, **options)
        moved = {piece["tensor"] for exchange in attachment.plan["exchanges"] for piece in exchange["slices"]}
        tensors = [tensor for key in moved for tensor in (
            model.get_parameter(key), *(optimizer.state[model.get_parameter(key)][part] for part in ("exp_avg", "exp_avg_sq")))]

        def unbalanced():
            with torch.no_grad():
                for key in moved:
                    if any(part in key for part in ("q_proj", "v_proj", "up_proj")):
                        model.get_parameter(key).mul_(4.3)

        def multiply():
            with torch.no_grad():
                for tensor in tensors:
                    tensor.mul_(1.0000001)

        times = []
        for _ in range(3):
            unbalanced()
            began = time.perf_counter()
            event = attachment.transition()
            times.append(time.perf_counter() - began)
            assert event.scaled
        yardstick = fastest(multiply)
        results[name] = {
            "seconds": min(times), "multiply_seconds": yardstick, "ratio": min(times) / yardstick,
            "gigabytes": sum(tensor.nbytes for tensor in tensors) / 1e9}
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    step, attached = per_step()
    found = {
        "threads": given.threads, "step_seconds": step, "attached_seconds": attached, "overhead": attached / step,
        **transitions(given.hidden, given.layers)}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

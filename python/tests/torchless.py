"""What needs neither torch nor anything else, for a Python that has only the standard library: run by any, it says `ok`.

A Llama is written by hand as a safetensors file; folders, a plan and the dialogue of a solve do what they say.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import tempfile
from array import array
from pathlib import Path

import wisca

CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 4, "vocab_size": 16, "max_position_embeddings": 16,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": False, "hidden_act": "silu",
}
LAYER = {
    "self_attn.q_proj": (8, 8), "self_attn.k_proj": (8, 8), "self_attn.v_proj": (8, 8), "self_attn.o_proj": (8, 8),
    "mlp.gate_proj": (12, 8), "mlp.up_proj": (12, 8), "mlp.down_proj": (8, 12), "input_layernorm": (8,), "post_attention_layernorm": (8,),
}
SHAPES = {
    "model.embed_tokens.weight": (16, 8), "model.norm.weight": (8,), "lm_head.weight": (16, 8),
    **{f"model.layers.0.{name}.weight": shape for name, shape in LAYER.items()},
}


def write(folder):
    """The model: normal weights, larger ones in values."""
    draw = random.Random(1)
    header, data, at = {}, b"", 0
    for name, shape in SHAPES.items():
        size = 1
        for length in shape:
            size *= length
        scale = 4.0 if "v_proj" in name else 0.5
        values = array("f", (scale * draw.gauss(0, 1) for _ in range(size)))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * size]}
        data, at = data + values.tobytes(), at + 4 * size
    text = json.dumps(header).encode()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")


def main():
    with tempfile.TemporaryDirectory() as place:
        model, out, back = (Path(place) / name for name in ("model", "out", "back"))
        write(model)
        told = wisca.rescale(model, out, round="pow2")
        assert told["bit_exact"] and wisca.verify(model, out)["equivalent"]
        assert (out / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()
        wisca.undo(out, back)
        assert (back / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
        try:
            wisca.inspect(Path(place) / "none")
        except wisca.WiscaError as error:
            assert error.hint and "\n" not in error.message
        else:
            raise AssertionError("a folder that is not there was inspected")
    plan = wisca.Plan({
        "config": CONFIG, "tensors": [{"name": name, "shape": list(shape), "dtype": "F32"} for name, shape in SHAPES.items()],
        "transitions": {"preset": "vo_ten"}, "rotations": None})
    solve = wisca.Solve(plan)
    while True:
        asked = solve.next()
        if asked["done"]:
            break
        solve.provide([1.0] * asked["count"])
    assert {entry["tensor"].rsplit(".", 2)[1] for entry in asked["factors"]} <= {"v_proj", "o_proj"}
    wisca.Ledger(plan).record(solve)
    assert "torch" not in sys.modules
    print("ok", sys.version.split()[0])


if __name__ == "__main__":
    main()

"""Balances a checkpoint with numpy alone: libwisca says what to measure and finds the factors, the arrays are this program's.

    python numpy_checkpoint.py MODEL/ OUT.safetensors

MODEL is a folder with a config.json and one model.safetensors in float32. Any framework with arrays can do the same.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

import wisca

TYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16}


def read(path):
    """The tensors of a safetensors file: a length, a JSON header, and the bytes."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
        for name, entry in header.items()}


def write(path, arrays):
    """A safetensors file of arrays."""
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    header, start = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


def measured(array, measure):
    """What a solve asks for: for each index along an axis the sum of |w| and of w²."""
    rows = array.astype(np.float64)
    if measure["adds_one"]:
        rows = rows + 1
    rows = rows.reshape(-1, 1) if rows.ndim == 1 else rows.reshape(-1, rows.shape[-1])
    columns = rows.shape[1]
    if measure["others"] is not None:
        others = np.array(measure["others"])
        if measure["axis"] == 1:
            rows = rows * others[:, None]
        else:
            rows = (rows.reshape(len(others) // columns, -1, columns) * others.reshape(-1, 1, columns)).reshape(-1, columns)
    if measure["axis"] == 0:
        return [np.abs(rows).sum(1), np.square(rows).sum(1)]
    parts = rows.reshape(measure["parts"], -1, columns)
    return [np.abs(parts).sum(1).ravel(), np.square(parts).sum(1).ravel()]


def balance(config, arrays, **transitions):
    """Balances arrays in place; returns the groups with their norms and factors."""
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    plan = wisca.Plan({
        "config": config, "rotations": None, "transitions": transitions,
        "tensors": [{"name": name, "shape": list(array.shape), "dtype": names[array.dtype]} for name, array in arrays.items()]})
    solve = wisca.Solve(plan)
    state = solve.next()
    while not state["done"]:
        numbers = [part for measure in state["measures"] for part in measured(arrays[measure["tensor"]], measure)]
        solve.provide(np.concatenate(numbers))
        state = solve.next()
    factors, start = np.array(solve.factors(state["count"])), 0
    for entry in state["factors"]:
        array = arrays[entry["tensor"]]
        wide = array.astype(np.float64) + entry["adds_one"]
        rows = wide.reshape(-1, 1) if wide.ndim == 1 else wide.reshape(-1, wide.shape[-1])
        if entry["rows"]:
            rows = rows * factors[start : start + entry["rows"], None]
            start += entry["rows"]
        if entry["columns"]:
            by_column = factors[start : start + entry["columns"]].reshape(-1, 1, rows.shape[1])
            rows = (rows.reshape(len(by_column), -1, rows.shape[1]) * by_column).reshape(-1, rows.shape[1])
            start += entry["columns"]
        arrays[entry["tensor"]] = (rows.reshape(array.shape) - entry["adds_one"]).astype(array.dtype)
    return state["groups"]


def main(model, out):
    """Reads, balances, writes, and says what the factors were."""
    arrays = read(Path(model) / "model.safetensors")
    config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    for group in balance(config, arrays, preset="qk_ten+vo_ten", rounding="none"):
        print(f"layer {group['layer']} {group['kind']}: factor {group['factor']:.4f}")
    write(out, arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])

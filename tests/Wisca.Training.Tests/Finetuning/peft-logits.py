"""Prints the logits that PEFT computes with an adapter on its base, and those of the base alone.

    python peft-logits.py BASE ADAPTER ROWS ID ID ...

One line each, flat, of the ids as so many rows.
"""
import sys

import torch
import transformers
from peft import PeftModel

base, adapter, rows, *ids = sys.argv[1:]
ids = torch.tensor([int(token) for token in ids]).reshape(int(rows), -1)


def show(model):
    with torch.no_grad():
        print(*model.eval()(ids).logits.double().flatten().tolist(), flush=True)


model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
show(PeftModel.from_pretrained(model, adapter))
show(transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager"))

"""Makes a tiny model and an adapter with PEFT, and, once both are rotated, says how far PEFT's logits moved.

    python rotate.py FOLDER FAMILY KIND DTYPE

Writes FOLDER/model and FOLDER/adapter, says "ready", waits for a line, and compares them with FOLDER/rotated and FOLDER/turned: prints
the largest difference of logits, what the adapter alone does to them, and the largest logit.
"""
import sys

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from torch.overrides import TorchFunctionMode

folder, family, kind, dtype = sys.argv[1:]
torch.manual_seed(7)
dtype = getattr(torch, dtype)
torch.set_default_dtype(dtype)  # or PEFT reads factors in float32
sizes = dict(vocab_size=40, num_hidden_layers=2, max_position_embeddings=32, attn_implementation="eager")
if family == "llama":
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=24, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False, **sizes)
    targets, readers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], ["q_proj", "v_proj", "gate_proj"]
    embedding, head = "embed_tokens", "lm_head"
elif family == "gpt2":
    config = transformers.GPT2Config(n_embd=16, n_head=4, n_layer=2, n_positions=32, vocab_size=40, tie_word_embeddings=False)
    targets, readers, embedding, head = ["c_attn", "c_proj", "c_fc"], ["c_attn", "c_fc"], "wte", "lm_head"
else:
    config = transformers.GPTNeoXConfig(hidden_size=16, intermediate_size=24, num_attention_heads=4, rotary_pct=0.5, **sizes)
    targets = ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"]
    readers, embedding, head = ["query_key_value", "dense_h_to_4h"], "embed_in", "embed_out"
model = transformers.AutoModelForCausalLM.from_config(config).to(dtype)


class Wide(TorchFunctionMode):
    """Norms and rotary angles are computed in float32 whatever the model's type; here in its own."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def own(value):
            return dtype if value is torch.float32 else value

        if func is torch.Tensor.float:
            return args[0].to(dtype)
        return func(*map(own, args), **{key: own(value) for key, value in (kwargs or {}).items()})



def disturb(parameters, deviation):
    with torch.no_grad():
        for name, parameter in sorted(parameters):
            parameter.add_(deviation * torch.randn(parameter.shape, dtype=torch.float64).to(parameter.dtype))


disturb(model.named_parameters(), 0.3)
model.save_pretrained(f"{folder}/model")
options = dict(r=3, lora_alpha=5, target_modules=targets)
if kind == "dora":
    options.update(use_dora=True, target_modules=readers)
elif kind == "embedding and head":
    options.update(target_modules=targets + [embedding], modules_to_save=[head])
elif kind == "tokens":
    options.update(trainable_token_indices={embedding: [3, 9]})
elif kind == "bias":
    options.update(bias="lora_only", lora_bias=True, use_rslora=True)
adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
disturb(((name, value) for name, value in adapted.named_parameters() if value.requires_grad), 0.2)
adapted = adapted.to(dtype)
adapted.save_pretrained(f"{folder}/adapter")


def logits(base, adapter):
    loaded = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    if adapter is not None:
        loaded = PeftModel.from_pretrained(loaded, adapter).to(dtype)
    with torch.no_grad(), Wide():
        return loaded.eval()(torch.arange(36).reshape(2, 18) % 40).logits.double()


plain = logits(f"{folder}/model", None)
before = logits(f"{folder}/model", f"{folder}/adapter")
print("ready", flush=True)
sys.stdin.readline()
after = logits(f"{folder}/rotated", f"{folder}/turned")
print((before - after).abs().max().item(), (before - plain).abs().max().item(), before.abs().max().item(), flush=True)

"""Tiny random models of Hugging Face transformers, as it saves them, with the logits, the loss and the gradients that it computes.

    make-golden.py FOLDER SEED [NAME...]

writes FOLDER/NAME.safetensors and FOLDER/NAME.json for every case below. transformers computes rotations, norms and softmax in
float32, whatever the model is in; here its float32 is made float64 before it is loaded, so that only the formulas count.
"""

import copy
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402

VOCABULARY = 19

# Keys of each model; "length" is that of the sequence, "older" the same configuration in older spellings: keys to set, null to remove.
BASE = dict(
    hidden_size=12, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, intermediate_size=10,
    max_position_embeddings=32, vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=None, pad_token_id=None,
)
PHI3 = dict(model_type="phi3", hidden_size=24, num_attention_heads=3, num_key_value_heads=1, partial_rotary_factor=0.75)
LONG = dict(short_factor=[1.0, 1.25, 1.5], long_factor=[1.0, 3.0, 7.5])
DEEPSEEK = dict(
    model_type="deepseek_v3", num_attention_heads=3, num_key_value_heads=3, q_lora_rank=7, kv_lora_rank=5,
    qk_nope_head_dim=3, qk_rope_head_dim=4, v_head_dim=5, moe_intermediate_size=4, first_k_dense_replace=1,
)
YARN = dict(factor=4.0, original_max_position_embeddings=8, mscale=0.8, mscale_all_dim=1.3)
ROPE = dict(model_type="llama", hidden_size=24, num_attention_heads=3, num_key_value_heads=1, head_dim=10, attention_bias=True)


def scaled(rope_type, theta=100.0, **keys):
    """A llama that is longer than what it was made for, by the newer and the older spelling."""
    stretch = {key: value for key, value in keys.items() if key != "max_position_embeddings"}
    return ROPE | {key: value for key, value in keys.items() if key == "max_position_embeddings"} | dict(
        rope_parameters=dict(rope_type=rope_type, rope_theta=theta) | stretch,
        older=dict(rope_parameters=None, rope_theta=theta, rope_scaling=dict(type=rope_type) | stretch),
    )


CASES = {
    "phi3": PHI3 | dict(sliding_window=5, rope_theta=500.0, tie_word_embeddings=True),
    # Longer than the model was before it was stretched, and generated across that length.
    "phi3-longrope": PHI3 | dict(
        original_max_position_embeddings=8,
        rope_parameters=LONG | dict(rope_type="longrope", rope_theta=500.0),
        older=dict(rope_parameters=None, rope_theta=500.0, rope_scaling=LONG | dict(type="su")),
    ),
    "gemma2": dict(
        model_type="gemma2", num_hidden_layers=3, head_dim=4, sliding_window=3, query_pre_attn_scalar=9,
        attn_logit_softcapping=2.5, final_logit_softcapping=4.0, attention_bias=True,
    ),
    "gemma2-uncapped": dict(
        model_type="gemma2", head_dim=6, num_attention_heads=3, num_key_value_heads=3, attn_logit_softcapping=None,
        final_logit_softcapping=None, layer_types=["full_attention", "sliding_attention"], sliding_window=4,
    ),
    "olmoe": dict(
        model_type="olmoe", num_attention_heads=3, num_key_value_heads=1, num_experts=5, num_experts_per_tok=2,
        attention_bias=True, clip_qkv=0.7, router_aux_loss_coef=0.3,
    ),
    "olmoe-normalised": dict(
        model_type="olmoe", num_attention_heads=3, num_key_value_heads=3, num_experts=4, num_experts_per_tok=3,
        norm_topk_prob=True, tie_word_embeddings=True,
    ),
    "granite": dict(
        model_type="granite", num_attention_heads=3, num_key_value_heads=1, attention_bias=True, mlp_bias=True,
        embedding_multiplier=3.5, residual_multiplier=0.6, logits_scaling=1.7, attention_multiplier=0.4,
    ),
    "smollm3": dict(
        model_type="smollm3", num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=1,
        no_rope_layer_interval=2, use_sliding_window=True, sliding_window=4, attention_bias=True, mlp_bias=True,
    ),
    "smollm3-listed": dict(
        model_type="smollm3", num_hidden_layers=3, no_rope_layers=[0, 1, 1], rope_theta=300.0,
        tie_word_embeddings=False, older=dict(rope_parameters=None, rope_theta=300.0, layer_types=None),
    ),
    "starcoder2": dict(model_type="starcoder2", num_attention_heads=3, num_key_value_heads=1, sliding_window=5),
    "starcoder2-unbiased": dict(model_type="starcoder2", use_bias=False, tie_word_embeddings=False),
    "stablelm": dict(
        model_type="stablelm", hidden_size=24, num_attention_heads=3, num_key_value_heads=1, use_qkv_bias=True,
        partial_rotary_factor=0.5,
    ),
    "stablelm-parallel": dict(
        model_type="stablelm", hidden_size=24, num_attention_heads=3, num_key_value_heads=3, qk_layernorm=True,
        use_parallel_residual=True, tie_word_embeddings=True,
        older=dict(rope_parameters=None, rope_theta=10000, partial_rotary_factor=0.25),
    ),
    "glm": dict(model_type="glm", head_dim=6, num_attention_heads=3, num_key_value_heads=1, partial_rotary_factor=0.67),
    "glm4": dict(
        model_type="glm4", head_dim=8, num_attention_heads=3, num_key_value_heads=3, tie_word_embeddings=True,
        older=dict(rope_parameters=None),
    ),
    "rope-linear": scaled("linear", factor=3.0),
    "rope-dynamic": scaled("dynamic", factor=2.5, max_position_embeddings=8),
    "rope-llama3": scaled(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8,
    ),
    "rope-yarn": scaled("yarn", factor=4.0, original_max_position_embeddings=8),
    "rope-yarn-untruncated": scaled(
        "yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=2.0, beta_slow=0.5, mscale=0.8,
        mscale_all_dim=1.3, truncate=False,
    ),
    "rope-yarn-attention": scaled("yarn", factor=None, original_max_position_embeddings=20, attention_factor=1.3),
    "rope-longrope": scaled(
        "longrope", factor=6.0, original_max_position_embeddings=16, short_factor=[1.0, 1.0, 1.1, 1.2, 1.5],
        long_factor=[1.0, 2.0, 3.0, 4.0, 5.0],
    ),
    "rope-interleaved-partial": dict(
        model_type="glm", head_dim=12, num_attention_heads=3, num_key_value_heads=1,
        rope_parameters=dict(
            rope_type="yarn", rope_theta=100.0, factor=4.0, original_max_position_embeddings=8, partial_rotary_factor=0.5,
        ),
    ),
    # Text takes the same position three times, so that sections of channels make no difference.
    "rope-sections": dict(
        model_type="qwen2", num_attention_heads=3, num_key_value_heads=1,
        older=dict(rope_parameters=None, rope_theta=10000.0, rope_scaling=dict(type="mrope", mrope_section=[1, 1, 0])),
    ),
    "gemma3": dict(
        model_type="gemma3_text", num_hidden_layers=3, head_dim=6, num_attention_heads=3, num_key_value_heads=1,
        sliding_window=4, query_pre_attn_scalar=9, attention_bias=True,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=500.0, factor=8.0),
            sliding_attention=dict(rope_type="default", rope_theta=20.0),
        ),
        older=dict(
            rope_parameters=None, layer_types=None, sliding_window_pattern=2, rope_theta=500.0, rope_local_base_freq=20.0,
            rope_scaling=dict(rope_type="linear", factor=8.0),
        ),
    ),
    "deepseek_v3": DEEPSEEK | dict(
        num_hidden_layers=3, n_routed_experts=6, n_group=3, topk_group=2, num_experts_per_tok=3, n_shared_experts=2,
        attention_bias=True,
    ),
    "deepseek_v3-yarn": DEEPSEEK | dict(
        q_lora_rank=None, rope_interleave=False, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
        norm_topk_prob=False, routed_scaling_factor=1.0, tie_word_embeddings=True,
        rope_parameters=YARN | dict(rope_type="yarn", rope_theta=100.0),
        older=dict(rope_parameters=None, rope_theta=100.0, rope_scaling=YARN | dict(type="yarn")),
    ),
    "olmo2": dict(model_type="olmo2", num_attention_heads=3, num_key_value_heads=1, attention_bias=True),
    "qwen3": dict(model_type="qwen3", num_attention_heads=3, num_key_value_heads=1, head_dim=6, attention_bias=True),
    "cohere": dict(
        model_type="cohere", num_attention_heads=3, num_key_value_heads=1, use_qk_norm=True, attention_bias=True,
        logit_scale=0.7,
    ),
    "mixtral": dict(
        model_type="mixtral", num_attention_heads=3, num_key_value_heads=1, num_local_experts=3, num_experts_per_tok=2,
        router_aux_loss_coef=0.3, sliding_window=5,
    ),
    "qwen2_moe": dict(
        model_type="qwen2_moe", num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=1, num_experts=4,
        num_experts_per_tok=2, moe_intermediate_size=6, shared_expert_intermediate_size=7, router_aux_loss_coef=0.3,
        mlp_only_layers=[1],
    ),
}


def fill(model, seed):
    """Gains around 1 and biases around 0, matrices that make attention far from uniform; all of them numbers of bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.named_parameters()) | {
        name: buffer for name, buffer in model.named_buffers() if name in model.state_dict()
    }
    for name, tensor in sorted(tensors.items()):
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() > 1:
            value = 0.45 * noise
        elif name.endswith("bias") or "gemma" in model.config.model_type:
            value = 0.3 * noise
        else:
            value = 1 + 0.3 * noise
        tensor.data.copy_(value.to(torch.bfloat16))


def saved(model, dtype):
    """The tensors as transformers saves them: experts one by one, tied matrices once."""
    with tempfile.TemporaryDirectory() as folder:
        model.to(dtype).save_pretrained(folder)
        tensors = load_file(os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json")) as file:
            return tensors, json.load(file)


def along(tensor):
    """The product with a fixed direction of length about one."""
    index = torch.arange(tensor.numel())
    return float((tensor.flatten() * torch.sin(index * 1.7 + 0.3)).sum() / tensor.numel() ** 0.5)


def make(folder, seed, name, case):
    keys = BASE | case
    length, older = keys.pop("length", 14), keys.pop("older", None)
    config = AutoConfig.for_model(keys.pop("model_type"), **keys)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", experts_implementation="eager").double().eval()
    fill(model, seed)
    tensors, written = saved(copy.deepcopy(model), torch.bfloat16)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(VOCABULARY, (1, length), generator=generator)
    mixture = hasattr(config, "router_aux_loss_coef")
    output = model(ids, labels=ids, use_cache=False, **(dict(output_router_logits=True) if mixture else {}))
    output.loss.backward()
    slopes = copy.deepcopy(model)
    for target, source in zip(slopes.parameters(), model.parameters()):
        target.data.copy_(torch.zeros_like(source) if source.grad is None else source.grad)
    gradients, _ = saved(slopes, torch.float64)
    buffers = dict(model.named_buffers())
    save_file(tensors, os.path.join(folder, name + ".safetensors"), metadata={"format": "pt"})

    # Dynamic scaling leaves cached keys as they were for shorter sequences, and so makes generation depend on the cache.
    cached = "dynamic" not in name
    generated = model.generate(ids[:, :4], max_new_tokens=8, do_sample=False, use_cache=cached)
    golden = dict(
        config=written,
        older=older,
        tokens=ids[0].tolist(),
        logits=output.logits[0].tolist(),
        loss=output.loss.item(),
        auxiliary=output.aux_loss.item() if mixture else None,
        gradients={key: along(value) for key, value in sorted(gradients.items()) if key not in buffers},
        greedy=generated[0, 4:].tolist(),
    )
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump(golden, file)
        file.write("\n")


if __name__ == "__main__":
    for case in sys.argv[3:] or CASES:
        make(sys.argv[1], int(sys.argv[2]), case, CASES[case])

"""Writes tensors.json: what transformers calls the tensors of each model type, and their shapes.

    python tensors.py > tensors.json

A row is a model type, what of its configuration is not the class's own, and the tensors as they are saved. Where those in memory are
others (experts in one tensor), a second row has them.
"""
import json, os, sys, tempfile
os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
SIZES = dict(num_hidden_layers=2, hidden_size=32, intermediate_size=12, num_attention_heads=4, num_key_value_heads=2, vocab_size=7,
             max_position_embeddings=8, pad_token_id=0, bos_token_id=1, eos_token_id=2)
GPT = dict(n_layer=2, n_embd=32, n_inner=12, n_head=4, vocab_size=7, n_positions=8, bos_token_id=1, eos_token_id=2)
EXPERTS = dict(num_local_experts=2, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=6, shared_expert_intermediate_size=6)
ROWS = [
    ("llama", {}), ("llama", dict(attention_bias=True, mlp_bias=True)), ("llama", dict(tie_word_embeddings=True)),
    ("seed_oss", dict(head_dim=4)), ("arcee", {}), ("jais2", {}), ("mistral", dict(head_dim=6)), ("ministral", dict(head_dim=4)),
    ("ministral3", dict(head_dim=4)), ("mixtral", EXPERTS), ("qwen2", {}), ("qwen2_moe", EXPERTS),
    ("qwen2_moe", EXPERTS | dict(decoder_sparse_step=2)), ("qwen3", dict(head_dim=6)), ("qwen3_moe", EXPERTS | dict(head_dim=6)),
    ("gemma", dict(head_dim=4)), ("gemma2", dict(head_dim=4)), ("gemma3_text", dict(head_dim=4)), ("glm", dict(head_dim=4)),
    ("glm4", dict(head_dim=4)), ("olmo", {}), ("olmo2", {}), ("olmo3", {}), ("flex_olmo", EXPERTS), ("olmoe", EXPERTS), ("exaone4", dict(head_dim=4)),
    ("granite", {}), ("granitemoe", EXPERTS), ("granitemoeshared", EXPERTS | dict(shared_intermediate_size=6)),
    ("helium", dict(head_dim=8)), ("ernie4_5", dict(head_dim=4)),
    ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2)), ("falcon", dict(multi_query=True)),
    ("falcon", dict(multi_query=True, parallel_attn=False)), ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2,
     num_ln_in_parallel_attn=1)), ("falcon", dict(multi_query=False, alibi=True, bias=True, parallel_attn=False)),
    ("bloom", dict(n_layer=2, n_head=4)), ("bloom", dict(n_layer=2, n_head=4, apply_residual_connection_post_layernorm=True)), ("gpt2", GPT), ("gpt2", GPT | dict(add_cross_attention=True)),
    ("gpt_bigcode", GPT), ("gpt_bigcode", GPT | dict(multi_query=False)),
    ("gpt_neo", dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]])),
    ("gptj", GPT | dict(rotary_dim=2)), ("codegen", GPT | dict(rotary_dim=2)), ("gpt_neox", {}), ("gpt_oss", EXPERTS | dict(head_dim=4)),
    ("cohere", {}), ("cohere", dict(use_qk_norm=True)), ("cohere2", {}), ("mpt", dict(d_model=32, n_layers=2, n_heads=4)),
    ("nemotron", dict(head_dim=4)), ("opt", dict(ffn_dim=12, word_embed_proj_dim=32)),
    ("opt", dict(ffn_dim=12, word_embed_proj_dim=32, do_layer_norm_before=False)), ("persimmon", {}),
    ("persimmon", dict(qk_layernorm=False)), ("phi", {}), ("phi", dict(qk_layernorm=True)), ("phi3", {}), ("phimoe", EXPERTS),
    ("smollm3", {}), ("stablelm", {}), ("stablelm", dict(use_parallel_residual=True, use_qkv_bias=True)),
    ("stablelm", dict(qk_layernorm=True)), ("starcoder2", {}),
]

# The published code of these is not part of transformers.
INTERNLM2 = {"model.tok_embeddings.weight": [7, 32], "model.norm.weight": [32], "output.weight": [7, 32]} | {
    f"model.layers.{layer}.{name}.weight": shape for layer in range(2) for name, shape in {
        "attention.wqkv": [64, 32], "attention.wo": [32, 32], "attention_norm": [32], "ffn_norm": [32], "feed_forward.w1": [12, 32],
        "feed_forward.w2": [32, 12], "feed_forward.w3": [12, 32]}.items()}
BY_HAND = [{"config": dict(model_type="internlm2", num_hidden_layers=2, hidden_size=32, num_attention_heads=4, num_key_value_heads=2,
                           tie_word_embeddings=False), "tensors": INTERNLM2}]

print("[")
rows = BY_HAND
for kind, extra in ROWS:
    default = AutoConfig.for_model(kind)
    own = default.to_dict().keys() | default.attribute_map.keys()
    sizes = {key: value for key, value in SIZES.items() if key in own and default.attribute_map.get(key, "") not in extra}
    config = AutoConfig.for_model(kind, **(sizes | extra))
    if getattr(config, "layer_types", None) and len(config.layer_types) != 2:
        config.layer_types = config.layer_types[:2]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        written = json.load(open(os.path.join(folder, "config.json")))
        with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
            saved = {name: list(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
    for key in ("transformers_version", "architectures", "dtype", "use_cache", "id2label", "label2id"):
        written.pop(key, None)
    if kind == "gpt_bigcode":
        written.pop("num_key_value_heads", None)
    if kind == "granitemoeshared":
        # An earlier transformers knew it by its tensors alone.
        written["model_type"] = "granitemoe"
    rows.append({"config": written, "tensors": saved})
    memory = {name: list(tensor.shape) for name, tensor in sorted(model.state_dict().items())
              if not (written.get("tie_word_embeddings", config.tie_word_embeddings) and name == "lm_head.weight")}
    if memory.keys() != saved.keys() and kind not in ("gpt_neox", "granitemoeshared"):
        rows.append({"config": written, "tensors": memory})
    print(kind, len(saved), sorted(memory.keys() ^ saved.keys())[:3], file=sys.stderr)
print(",\n".join(json.dumps(row) for row in rows))
print("]")

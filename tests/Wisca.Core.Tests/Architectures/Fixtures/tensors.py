"""Writes tensors.json: what transformers calls the tensors of each model type, and their shapes.

    python tensors.py > tensors.json
    python tensors.py KIND ...    the rows of these model types alone

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
MAMBA = dict(mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_n_groups=1)
JAMBA = dict(num_hidden_layers=3, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1, mamba_d_state=4,
             mamba_dt_rank=5, use_mamba_kernels=False)
GRANITE = dict(num_hidden_layers=3, layer_types=["mamba", "attention", "mamba"], shared_intermediate_size=10)
NEMOTRON = dict(n_routed_experts=2, mamba_num_heads=4, mamba_head_dim=6, ssm_state_size=8, n_groups=1)
LINEAR = dict(num_hidden_layers=4, linear_key_head_dim=6, linear_value_head_dim=5, linear_num_key_heads=2, linear_num_value_heads=4)
LFM = dict(num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"])
DECODER = dict(decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=12, encoder_layers=1)
ARIA = dict(moe_num_experts=2, moe_topk=1, moe_num_shared_experts=1)
LATENT = dict(q_lora_rank=10, kv_lora_rank=9, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=5, num_key_value_heads=4)
SPARSE = EXPERTS | LATENT | dict(n_routed_experts=2, n_shared_experts=1, first_k_dense_replace=1)
INDEX = dict(index_n_heads=3, index_head_dim=6)
KIMI = dict(num_hidden_layers=3, layer_types=["linear_attention", "full_attention", "full_attention"], num_experts=2,
            mlp_layer_types=["dense", "sparse", "sparse"], linear_num_heads=2, linear_head_dim=6, num_experts_per_tok=1, moe_intermediate_size=6)
TOWER = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16)
PHI4 = dict(vision_config=TOWER | dict(num_hidden_layers=2, crop_size=32), audio_config=dict(
    hidden_size=16, intermediate_size=16, num_blocks=1, num_attention_heads=2, ext_pw_out_channel=16, depthwise_separable_out_channel=16,
    nemo_conv_channels=8))
DBRX = dict(d_model=32, n_heads=4, n_layers=2, attn_config=dict(kv_n_heads=2, clip_qkv=0.5, rope_theta=10000.0),
            ffn_config=dict(ffn_hidden_size=6, moe_num_experts=2, moe_top_k=1))
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
    ("apertus", {}), ("apertus1p5_text", {}), ("aria_text", ARIA), ("solar_open", EXPERTS), ("mellum", EXPERTS),
    ("dots1", EXPERTS | dict(n_routed_experts=2, n_shared_experts=1, first_k_dense_replace=1)), ("kolibri1", EXPERTS),
    ("exaone_moe", EXPERTS | dict(num_hidden_layers=4)), ("hy_v3", EXPERTS), ("flint", EXPERTS), ("minimax_m2", EXPERTS),
    ("flint", EXPERTS | dict(mlp_only_layers=[0])), ("afmoe", EXPERTS | dict(head_dim=6)),
    ("beam", EXPERTS | dict(head_dim=6)), ("beam", EXPERTS | dict(head_dim=6, mlp_layer_types=["dense", "sparse"])),
    ("bamba", MAMBA | dict(num_hidden_layers=3, attn_layer_indices=[1], attention_bias=True)), ("falcon_h1", MAMBA | dict(mamba_d_ssm=64)),
    ("falcon_h1", MAMBA | dict(mamba_d_ssm=64, mamba_rms_norm=True)),
    ("jamba", EXPERTS | JAMBA), ("granitemoehybrid", MAMBA | EXPERTS | GRANITE), ("granite_swa", {}), ("granitemoe_swa", EXPERTS),
    ("nemotron_h", EXPERTS | NEMOTRON), ("qwen3_next", EXPERTS | LINEAR), ("qwen3_5_text", LINEAR), ("qwen3_5_moe_text", EXPERTS | LINEAR),
    ("lara_mini", EXPERTS | LINEAR), ("olmo_hybrid", dict(num_hidden_layers=4, linear_key_head_dim=6, linear_value_head_dim=9)),
    ("lfm2", LFM), ("lfm2_moe", EXPERTS | LFM | dict(num_dense_layers=1)), ("minimax", EXPERTS | dict(num_hidden_layers=3, head_dim=6)),
    *[(kind, DECODER) for kind in ("bart", "blenderbot-small", "marian", "mvp", "plbart", "trocr", "mbart", "bigbird_pegasus", "blenderbot",
                                   "pegasus", "whisper")],
    ("trocr", DECODER | dict(use_learned_position_embeddings=False)), ("whisper", DECODER | dict(scale_embedding=True)),
    ("xglm", dict(num_layers=2, d_model=32, ffn_dim=12, attention_heads=4)), ("biogpt", {}),
    ("xglm", dict(num_layers=2, d_model=32, ffn_dim=12, attention_heads=4, add_cross_attention=True)),
    *[(kind, dict(is_decoder=True)) for kind in ("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie",
      "megatron-bert", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "xlm-roberta", "xlm-roberta-xl")],
    ("bert", dict(is_decoder=True, add_cross_attention=True)), ("roberta-prelayernorm", dict(is_decoder=True, add_cross_attention=True)),
    ("bitnet", {}), ("cohere2_moe", EXPERTS | dict(num_shared_experts=1)), ("cohere2_moe", EXPERTS | dict(
     rms_norm_eps=1e-5, mlp_layer_types=["dense", "sparse"], prefix_dense_intermediate_size=10)), ("dbrx", DBRX), ("doge", {}), ("doge", dict(is_moe=True)),
    ("ernie4_5_moe", EXPERTS | dict(use_bias=True, moe_num_experts=2, moe_k=1)), ("exaone", {}), ("gpt_neox_japanese", dict(
     intermediate_multiple_size=2)), ("glm4_moe", EXPERTS | dict(n_routed_experts=2, first_k_dense_replace=1)),
    ("glm4_moe", EXPERTS | dict(n_routed_experts=2, use_qk_norm=True)), ("hunyuan_v1_dense", dict(head_dim=8)), ("hunyuan_v1_moe", EXPERTS | dict(head_dim=8)),
    ("hyperclovax", {}), ("hyperclovax", dict(use_post_norm=False)), ("llama4_text", EXPERTS | dict(
     num_hidden_layers=4, interleave_moe_layer_step=2, intermediate_size_mlp=11)), ("modernbert-decoder", {}), ("nanochat", {}),
    ("sarvam_moe", EXPERTS | dict(n_routed_experts=2, first_k_dense_replace=1)),
    ("deepseek_v3", SPARSE), ("deepseek_v3", SPARSE | dict(q_lora_rank=None)), ("deepseek_v2", SPARSE | dict(attention_bias=True)),
    ("deepseek_v32", SPARSE | INDEX), ("glm4_moe_lite", SPARSE), ("glm_moe_dsa", SPARSE | INDEX), ("sarvam_mla", SPARSE), ("axk1", SPARSE),
    ("diffllama", {}), ("openai-gpt", GPT),
    ("diffllama", dict(num_key_value_heads=4, head_dim=12)), ("minicpm3", LATENT), ("minicpm3", LATENT | dict(q_lora_rank=None)), ("youtu", LATENT),
    ("lfm3", dict(num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"])), 
    ("lfm3", dict(layer_types=["conv", "full_attention"], use_sandwich_norm=False)),
    ("recurrent_gemma", dict(block_types=["recurrent", "attention"], lru_width=24, attention_bias=True, head_dim=16,
     rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.25))),
    ("ctrl", dict(n_layer=2, n_embd=32, dff=12, n_head=4, vocab_size=7, n_positions=8)), ("cpmant", dict(dim_head=6, dim_ff=12, segment_types=3)),
    ("roformer", dict(is_decoder=True, embedding_size=20)), ("roformer", dict(is_decoder=True, embedding_size=20, rotary_value=True)),
    ("kimi_linear", LATENT | KIMI), ("kimi_linear", LATENT | KIMI | dict(q_lora_rank=None)), ("hy_v4", SPARSE | INDEX), ("axk2", SPARSE | INDEX),
    ("bailing_hybrid", LATENT | KIMI | dict(n_group=1, topk_group=1)),
    ("bailing_hybrid", LATENT | KIMI | dict(n_group=1, topk_group=1, q_lora_rank=None)), ("phi4_multimodal", PHI4), ("git", dict(vision_config=TOWER)),
    ("mllama_text_model", dict(num_hidden_layers=3, cross_attention_layers=[1])), ("emu3_text_model", {}),
    ("moshi", dict(ffn_dim=12, head_dim=6)), ("musicgen_decoder", dict(ffn_dim=12, num_codebooks=2)),
    ("musicgen_melody_decoder", dict(ffn_dim=12, num_codebooks=2)), ("xlm", dict(emb_dim=32, n_layers=2, n_heads=4, n_langs=2)),
    ("cohere_compass_text", dict(rope_parameters=dict(full_attention=dict(rope_type="default", rope_theta=10000.0)))),
]
# Decoders that only a wrapper's class saves.
CLASSES = dict(mllama_text_model="MllamaForCausalLM", emu3_text_model="Emu3ForCausalLM", musicgen_decoder="MusicgenForCausalLM",
               musicgen_melody_decoder="MusicgenMelodyForCausalLM")
# The names in memory of these are another layout's; those that are saved are the published ones.
SAVED_ONLY = ("gpt_neox", "granitemoeshared", "exaone", "sarvam_moe", "olmo_hybrid", "axk1", "axk2", "hy_v4", "kimi_linear", "bailing_hybrid", "lfm3")

# The published code of these is not part of transformers.
INTERNLM2 = {"model.tok_embeddings.weight": [7, 32], "model.norm.weight": [32], "output.weight": [7, 32]} | {
    f"model.layers.{layer}.{name}.weight": shape for layer in range(2) for name, shape in {
        "attention.wqkv": [64, 32], "attention.wo": [32, 32], "attention_norm": [32], "ffn_norm": [32], "feed_forward.w1": [12, 32],
        "feed_forward.w2": [32, 12], "feed_forward.w3": [12, 32]}.items()}
BY_HAND = [{"config": dict(model_type="internlm2", num_hidden_layers=2, hidden_size=32, num_attention_heads=4, num_key_value_heads=2,
                           tie_word_embeddings=False), "tensors": INTERNLM2}]

print("[")
kinds = sys.argv[1:]
rows = [] if kinds else BY_HAND
for kind, extra in ROWS:
    if kinds and kind not in kinds:
        continue
    default = AutoConfig.for_model(kind)
    own = default.to_dict().keys() | default.attribute_map.keys()
    extra = {key: value for key, value in extra.items() if key in own or key not in EXPERTS}
    sizes = {key: value for key, value in SIZES.items() if key in own and default.attribute_map.get(key, "") not in extra}
    config = AutoConfig.for_model(kind, **(sizes | extra))
    for key in ("layer_types", "mlp_layer_types"):
        if getattr(config, key, None) and len(getattr(config, key)) != config.num_hidden_layers:
            setattr(config, key, getattr(config, key)[:config.num_hidden_layers])
    torch.manual_seed(0)
    model = getattr(transformers, CLASSES[kind])(config) if kind in CLASSES else AutoModelForCausalLM.from_config(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        written = json.load(open(os.path.join(folder, "config.json")))
        with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
            saved = {name: list(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
    for section in ("vision_config", "audio_config", "audio_encoder_config", "depth_decoder_config"):
        written.pop(section, None)
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
    if memory.keys() != saved.keys() and kind not in SAVED_ONLY:
        rows.append({"config": written, "tensors": memory})
    if kind == "deepseek_v3" and "q_lora_rank" in extra and extra["q_lora_rank"]:
        # Published with code of its own.
        rows.append({"config": written | {"model_type": "kimi_k2"}, "tensors": saved})
    if kind.startswith("musicgen"):
        rows.append({"config": {"model_type": kind.removesuffix("_decoder"), "decoder": written},
                     "tensors": {"decoder." + name: shape for name, shape in saved.items()}})
    if kind == "moshi":
        rows.append({"config": written, "tensors": {"decoder." + name: shape for name, shape in saved.items()}})
    print(kind, len(saved), sorted(memory.keys() ^ saved.keys())[:3], file=sys.stderr)
print(",\n".join(json.dumps(row) for row in rows))
print("]")

using Wisca.Checkpoints;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Tests.Torch;

/// <summary>A tiny random model of every family: no gain is 1, no bias 0, and attention is far from uniform.</summary>
internal static class TinyFamilies
{
    public const int Vocabulary = 19;

    /// <summary>All of them, for theories.</summary>
    public static TheoryData<string> ModelTypes => [.. DecoderConfig.ModelTypes];

    public static string Config(string modelType) => modelType switch
    {
        "gpt2" => $$"""{"model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32, "vocab_size": {{Vocabulary}}}""",
        "gpt_neox" => Base(modelType, """, "intermediate_size": 20, "rotary_pct": 0.5, "use_parallel_residual": false"""),
        "falcon" => Base(modelType, """, "bias": true"""),
        "opt" => Base(modelType, """, "ffn_dim": 20"""),
        "phi" => Base(modelType, """, "intermediate_size": 20"""),
        "phi3" => Grouped(
            modelType,
            """
            , "sliding_window": 6, "partial_rotary_factor": 0.5, "original_max_position_embeddings": 16,
            "rope_scaling": {"type": "longrope", "short_factor": [1.5], "long_factor": [4.5]}
            """),
        "llama" => Grouped(modelType, """, "attention_bias": true, "tie_word_embeddings": true"""),
        "mistral" => Grouped(modelType, """, "sliding_window": 3"""),
        "gemma3_text" => Grouped(
            modelType,
            """
            , "sliding_window": 3, "sliding_window_pattern": 2, "query_pre_attn_scalar": 9, "rope_theta": 500,
            "rope_local_base_freq": 20
            """),
        "mixtral" => Grouped(
            modelType,
            """, "num_local_experts": 3, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.3, "rope_theta": 500"""),
        "qwen2_moe" => Grouped(
            modelType,
            """
            , "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 6, "shared_expert_intermediate_size": 10,
            "router_aux_loss_coef": 0.3, "mlp_only_layers": [1]
            """),
        "gemma2" => Grouped(
            modelType,
            """
            , "sliding_window": 3, "query_pre_attn_scalar": 9, "attn_logit_softcapping": 2.5, "final_logit_softcapping": 4.0,
            "attention_bias": true
            """),
        "granite" => Grouped(
            modelType,
            """
            , "embedding_multiplier": 3.5, "residual_multiplier": 0.6, "logits_scaling": 1.7, "attention_multiplier": 0.4,
            "attention_bias": true, "mlp_bias": true
            """),
        "smollm3" => Grouped(modelType, """, "no_rope_layer_interval": 2, "use_sliding_window": true, "sliding_window": 3"""),
        "starcoder2" => Grouped(modelType, """, "sliding_window": 5"""),
        "stablelm" => Grouped(
            modelType, """, "partial_rotary_factor": 0.5, "use_qkv_bias": true, "qk_layernorm": true, "use_parallel_residual": true"""),
        "olmoe" => Grouped(
            modelType, """, "num_experts": 5, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.3, "attention_bias": true"""),

        // What a norm reads does not depend on its scale but for epsilon, which is large here, so that a transition's two sides differ.
        "glm4" => Base(
            modelType, """, "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 20, "rms_norm_eps": 0.01, "rope_theta": 100"""),
        "deepseek_v3" => Base(
            modelType,
            """
            , "intermediate_size": 20, "q_lora_rank": 10, "kv_lora_rank": 8, "qk_nope_head_dim": 3, "qk_rope_head_dim": 4,
            "v_head_dim": 5, "n_routed_experts": 6, "n_group": 3, "topk_group": 2, "num_experts_per_tok": 3,
            "moe_intermediate_size": 6, "n_shared_experts": 2, "first_k_dense_replace": 1, "attention_bias": true,
            "num_key_value_heads": 4
            """),
        "cohere" => Grouped(modelType, """, "use_qk_norm": true"""),
        _ => Grouped(modelType, ""),
    };

    public static Decoder Create(string modelType, ulong seed = 1, ScalarType dtype = ScalarType.Float64)
    {
        var decoder = Decoder.Create(
            DecoderConfig.From(ModelConfig.Parse(Config(modelType))), seed, new InitializationOptions { StandardDeviation = 0.35 }, dtype);
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(seed);
        foreach (var parameter in decoder.parameters().Where(parameter => parameter.dim() < 2))
            parameter.add_(0.2 * randn(parameter.shape, ScalarType.Float64, generator: generator).to(dtype));
        return decoder;
    }

    public static int[] Tokens(int count, int seed = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Vocabulary))];
    }

    private static string Base(string modelType, string further) =>
        $$"""
        {
          "model_type": "{{modelType}}", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": {{Vocabulary}},
          "max_position_embeddings": 32{{further}}
        }
        """;

    private static string Grouped(string modelType, string further) =>
        Base(modelType, """, "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 20, "rms_norm_eps": 1e-5""" + further);
}

using System.Collections.Frozen;
using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>
/// What each family's <c>config.json</c> means. Where a key is absent, the value is that of the family's configuration class in
/// Hugging Face transformers.
/// </summary>
internal static partial class DecoderFamilies
{
    public static FrozenDictionary<string, Func<ConfigReader, DecoderConfig>> ByModelType { get; } =
        new Dictionary<string, Func<ConfigReader, DecoderConfig>>
        {
            ["cohere"] = Cohere,
            ["deepseek_v3"] = DeepseekV3,
            ["falcon"] = Falcon,
            ["gemma"] = Gemma,
            ["gemma2"] = Gemma2,
            ["gemma3_text"] = Gemma3,
            ["glm"] = Glm,
            ["glm4"] = Glm4,
            ["gpt2"] = Gpt2,
            ["gpt_neox"] = GptNeoX,
            ["granite"] = Granite,
            ["llama"] = Llama,
            ["mistral"] = Mistral,
            ["mixtral"] = Mixtral,
            ["olmo2"] = Olmo2,
            ["olmoe"] = OlmoMixture,
            ["opt"] = Opt,
            ["phi"] = Phi,
            ["phi3"] = Phi3,
            ["qwen2"] = Qwen2,
            ["qwen2_moe"] = Qwen2Mixture,
            ["qwen3"] = Qwen3,
            ["smollm3"] = SmolLm3,
            ["stablelm"] = StableLm,
            ["starcoder2"] = Starcoder2,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What Hugging Face transformers calls a family's model with an output projection.</summary>
    public static string ClassName(string modelType) => modelType switch
    {
        "cohere" => "CohereForCausalLM",
        "deepseek_v3" => "DeepseekV3ForCausalLM",
        "falcon" => "FalconForCausalLM",
        "gemma" => "GemmaForCausalLM",
        "gemma2" => "Gemma2ForCausalLM",
        "gemma3_text" => "Gemma3ForCausalLM",
        "glm" => "GlmForCausalLM",
        "glm4" => "Glm4ForCausalLM",
        "gpt2" => "GPT2LMHeadModel",
        "gpt_neox" => "GPTNeoXForCausalLM",
        "granite" => "GraniteForCausalLM",
        "llama" => "LlamaForCausalLM",
        "mistral" => "MistralForCausalLM",
        "mixtral" => "MixtralForCausalLM",
        "olmo2" => "Olmo2ForCausalLM",
        "olmoe" => "OlmoeForCausalLM",
        "opt" => "OPTForCausalLM",
        "phi" => "PhiForCausalLM",
        "phi3" => "Phi3ForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen2_moe" => "Qwen2MoeForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        "smollm3" => "SmolLM3ForCausalLM",
        "stablelm" => "StableLmForCausalLM",
        "starcoder2" => "Starcoder2ForCausalLM",
        _ => throw new ArgumentOutOfRangeException(nameof(modelType), modelType, null),
    };

    private static DecoderConfig Llama(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 2048, epsilon: 1e-6);
        return config with
        {
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias },
            FeedForward = config.FeedForward with { Bias = reader.FlagOr("mlp_bias", false) },
        };
    }

    private static DecoderConfig Mistral(ConfigReader reader) =>
        LlamaLike(
            reader, positions: 131072, epsilon: 1e-6, window: reader.Has("sliding_window") ? reader.FindSize("sliding_window") : 4096);

    private static DecoderConfig Mixtral(ConfigReader reader)
    {
        var config = LlamaLike(reader, positions: 131072, epsilon: 1e-5, window: reader.FindSize("sliding_window"), theta: 1e6);
        int experts = reader.Count(reader.SizeOr("num_local_experts", 8), "experts"), each = reader.SizeOr("num_experts_per_tok", 2);
        if (each > experts)
            throw reader.Wrong($"num_experts_per_tok is {each}, expected at most num_local_experts, {experts}", "mend the configuration");
        var mixture = new MixtureConfig(experts, each)
        {
            IntermediateSize = config.FeedForward.IntermediateSize,
            BalanceWeight = reader.NumberOr("router_aux_loss_coef", 0.001),
        };
        return config with
        {
            Layers = [.. config.Layers.Select(layer => layer with { Mixture = mixture })],
            Names = config.Names with { FeedForward = "block_sparse_moe", Gate = "w1", Up = "w3", Down = "w2" },
        };
    }

    private static DecoderConfig Qwen2(ConfigReader reader)
    {
        var config = LlamaLike(reader, positions: 32768, epsilon: 1e-6);
        int first = reader.SizeOr("max_window_layers", 28, minimum: 0);
        return config with
        {
            Layers = QwenWindows(reader, config, layer => layer >= first),
            Attention = config.Attention with { QkvBias = true },
        };
    }

    private static DecoderConfig Qwen3(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 32768, epsilon: 1e-6);
        int first = reader.SizeOr("max_window_layers", 28, minimum: 0);
        return config with
        {
            Layers = QwenWindows(reader, config, layer => layer >= first),
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias, QkNorm = QkNorm.EachHeadAlike },
        };
    }

    private static DecoderConfig Qwen2Mixture(ConfigReader reader)
    {
        var config = LlamaLike(reader, positions: 32768, epsilon: 1e-6);
        int layers = config.Layers.Length,
            step = reader.SizeOr("decoder_sparse_step", 1),
            before = reader.SizeOr("max_window_layers", 28, minimum: 0);
        var dense = reader.LayerNumbers("mlp_only_layers", layers);
        var mixture = new MixtureConfig(
            reader.Count(reader.SizeOr("num_experts", 60, minimum: 0), "experts"),
            reader.SizeOr("num_experts_per_tok", 4))
        {
            NormalizeWeights = reader.FlagOr("norm_topk_prob", false),
            IntermediateSize = reader.SizeOr("moe_intermediate_size", 1408),
            SharedIntermediateSize = reader.SizeOr("shared_expert_intermediate_size", 5632),
            BalanceWeight = reader.NumberOr("router_aux_loss_coef", 0.001),
        };
        if (mixture.Experts > 0 && mixture.ExpertsPerToken > mixture.Experts)
            throw reader.Wrong(
                $"num_experts_per_tok is {mixture.ExpertsPerToken}, expected at most num_experts, {mixture.Experts}",
                "mend the configuration");
        var windows = QwenWindows(reader, config, layer => layer % 2 == 0 && layer < before);
        return config with
        {
            Layers =
            [
                .. windows.Select((layer, index) => layer with
                {
                    Mixture = mixture.Experts > 0 && (index + 1) % step == 0 && !dense.Contains(index) ? mixture : null,
                }),
            ],
            Attention = config.Attention with { QkvBias = reader.FlagOr("qkv_bias", true) },
        };
    }

    /// <summary>The layers of a Qwen: those that layer_types calls sliding,
    /// or the rule where it is not stated, have a window if the model uses one.</summary>
    private static ImmutableArray<LayerConfig> QwenWindows(ConfigReader reader, DecoderConfig config, Func<int, bool> rule)
    {
        int? window = null;
        if (reader.FlagOr("use_sliding_window", false)) window = reader.Has("sliding_window") ? reader.FindSize("sliding_window") : 4096;
        bool[] sliding = reader.SlidingLayers(config.Layers.Length, layer => window is not null && rule(layer));
        if (window is null && sliding.Contains(true))
            throw reader.Wrong(
                "layer_types names sliding layers, but there is no sliding window",
                "set use_sliding_window and sliding_window");
        return [.. config.Layers.Select((layer, index) => layer with { Window = sliding[index] ? window : null })];
    }

    private static DecoderConfig Gemma(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 8192, epsilon: 1e-6, tied: true);

        // First-generation files say "gelu" and mean the tanh form; hidden_activation, which came later, means what it says.
        var activation = reader.Activation("hidden_activation", "gelu_pytorch_tanh");
        bool named = reader.Activation("hidden_act", "gelu_pytorch_tanh") is Activation.Gelu or Activation.GeluTanh;
        if (!named || activation != Activation.GeluTanh)
            throw reader.Unsupported("the activation is not gelu_pytorch_tanh", "gemma models have that one");
        return config with
        {
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
            Norm = config.Norm with { UnitOffset = true },
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias },
            FeedForward = config.FeedForward with { Activation = activation },
        };
    }

    private const int Gemma3Positions = 131072;

    private static DecoderNames GemmaNames { get; } = new()
    {
        AttentionPostNorm = "post_attention_layernorm",
        FeedForwardNorm = "pre_feedforward_layernorm",
        FeedForwardPostNorm = "post_feedforward_layernorm",
    };

    private static DecoderConfig Gemma3(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        reader.ExpectAbsent("attn_logit_softcapping");
        reader.ExpectAbsent("final_logit_softcapping");
        reader.Expect("use_bidirectional_attention", expected: false, missing: false);
        int window = reader.SizeOr("sliding_window", 4096), pattern = reader.SizeOr("sliding_window_pattern", 6);
        var config = LlamaLike(reader, positions: Gemma3Positions, epsilon: 1e-6, tied: true, rope: FullRope(reader));
        bool[] sliding = reader.SlidingLayers(config.Layers.Length, layer => (layer + 1) % pattern != 0);
        var local = reader.Rope(10000, "rope_local_base_freq", parameters: "rope_parameters.sliding_attention", scaling: null,
            positions: Gemma3Positions);
        return config with
        {
            Layers = [.. config.Layers.Select((layer, index) => sliding[index] ? new LayerConfig(window, local) : layer)],
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
            Norm = config.Norm with { UnitOffset = true },
            Attention = config.Attention with
            {
                Scale = 1 / Math.Sqrt(reader.PositiveOr("query_pre_attn_scalar", 256)),
                QkvBias = bias,
                OutputBias = bias,
                QkNorm = QkNorm.EachHeadAlike,
            },
            FeedForward = config.FeedForward with { Activation = reader.Activation("hidden_activation", "gelu_pytorch_tanh") },
            Names = GemmaNames,
        };

        // Newer files have a section for each kind of layer.
        static RopeConfig FullRope(ConfigReader reader)
        {
            const string section = "rope_parameters.full_attention";
            return reader.Rope(
                1e6, parameters: reader.Has("rope_parameters", "full_attention") ? section : "rope_parameters", positions: Gemma3Positions);
        }
    }

    private static DecoderConfig Olmo2(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 2048, epsilon: 1e-5);
        return config with
        {
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias, QkNorm = QkNorm.AllHeads },
            Names = config.Names with
            {
                AttentionNorm = null,
                FeedForwardNorm = null,
                AttentionPostNorm = "post_attention_layernorm",
                FeedForwardPostNorm = "post_feedforward_layernorm",
            },
        };
    }

    private static DecoderConfig Cohere(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(
            reader, positions: 8192, epsilon: 1e-5, tied: true, pairs: RopePairs.Interleaved, epsilonKey: "layer_norm_eps");
        return config with
        {
            Parallel = true,
            LogitScale = reader.PositiveOr("logit_scale", 0.0625),
            Norm = config.Norm with { Kind = NormKind.Layer },
            Attention = config.Attention with
            {
                QkvBias = bias,
                OutputBias = bias,
                QkNorm = reader.FlagOr("use_qk_norm", false) ? QkNorm.EachHead : QkNorm.None,
            },
            Names = config.Names with { FeedForwardNorm = null },
        };
    }

    private static DecoderConfig Phi(ConfigReader reader)
    {
        reader.Expect("qk_layernorm", expected: false, missing: false);
        reader.Expect("tie_word_embeddings", expected: false, missing: false);
        var (hidden, heads, kvHeads, headDim) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.KvHeads, reader.Sizes.HeadDim);
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.SizeOr("max_position_embeddings", 2048),
            Layers = reader.Alike(null, reader.Rope()),
            Attention = new AttentionConfig(heads, kvHeads, headDim, 1 / Math.Sqrt(headDim)) { QkvBias = true, OutputBias = true },
            FeedForward = new FeedForwardConfig(reader.Size("intermediate_size"), reader.Activation("hidden_act", "gelu_new"), Bias: true),
            Norm = new NormConfig(NormKind.Layer, reader.PositiveOr("layer_norm_eps", 1e-5), Bias: true),
            Parallel = true,
            HeadBias = true,
            Names = new DecoderNames
            {
                FinalNorm = "final_layernorm",
                Output = "dense",
                Gate = null,
                Up = "fc1",
                Down = "fc2",
                FeedForwardNorm = null,
            },
        };
    }

    private static DecoderConfig Gpt2(ConfigReader reader)
    {
        reader.Expect("scale_attn_by_inverse_layer_idx", expected: false, missing: false);
        reader.Expect("add_cross_attention", expected: false, missing: false);
        var (hidden, heads, headDim) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.HeadDim);
        double scale = reader.FlagOr("scale_attn_weights", true) ? 1 / Math.Sqrt(headDim) : 1;
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.FindSize(["n_positions", "max_position_embeddings"]) ?? reader.SizeOr("n_ctx", 1024),
            Layers = reader.Alike(null, null),
            ScalesResidual = true,
            Attention = new AttentionConfig(heads, heads, headDim, scale)
            {
                QkvBias = true,
                OutputBias = true,
                Orientation = Orientation.Conv1D,
                FusedOrder = FusedOrder.Blocks,
            },
            FeedForward = new FeedForwardConfig(
                reader.SizeOr("n_inner", 4 * hidden), reader.Activation("activation_function", "gelu_new"), Bias: true),
            Norm = new NormConfig(NormKind.Layer, reader.PositiveOr("layer_norm_epsilon", 1e-5), Bias: true),
            TiedHead = reader.FlagOr("tie_word_embeddings", true),
            Names = new DecoderNames
            {
                Root = "transformer",
                Embedding = "wte",
                Positions = "wpe",
                Layers = "h",
                FinalNorm = "ln_f",
                Attention = "attn",
                FusedQkv = "c_attn",
                Output = "c_proj",
                Gate = null,
                Up = "c_fc",
                Down = "c_proj",
                AttentionNorm = "ln_1",
                FeedForwardNorm = "ln_2",
            },
        };
    }

    private static DecoderConfig GptNeoX(ConfigReader reader)
    {
        var (hidden, heads, headDim) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.HeadDim);
        bool bias = reader.FlagOr("attention_bias", true);
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.SizeOr("max_position_embeddings", 2048),
            Layers = reader.Alike(null, reader.Rope(thetaKey: "rotary_emb_base")),
            Attention = new AttentionConfig(heads, heads, headDim, 1 / Math.Sqrt(headDim))
            {
                QkvBias = bias,
                OutputBias = bias,
                FusedOrder = FusedOrder.PerHead,
            },
            FeedForward = new FeedForwardConfig(reader.Size("intermediate_size"), reader.Activation("hidden_act", "gelu"), Bias: true),
            Norm = new NormConfig(NormKind.Layer, reader.PositiveOr("layer_norm_eps", 1e-5), Bias: true),
            Parallel = reader.FlagOr("use_parallel_residual", true),
            TiedHead = reader.FlagOr("tie_word_embeddings", false),
            Names = new DecoderNames
            {
                Root = "gpt_neox",
                Embedding = "embed_in",
                FinalNorm = "final_layer_norm",
                Head = "embed_out",
                Attention = "attention",
                FusedQkv = "query_key_value",
                Output = "dense",
                Gate = null,
                Up = "dense_h_to_4h",
                Down = "dense_4h_to_h",
            },
        };
    }

    private static DecoderConfig Falcon(ConfigReader reader)
    {
        reader.Expect("new_decoder_architecture", expected: false, missing: false);
        reader.Expect("multi_query", expected: true, missing: true);
        reader.Expect("parallel_attn", expected: true, missing: true);
        reader.Expect("alibi", expected: false, missing: false);
        reader.Expect("apply_residual_connection_post_layernorm", expected: false, missing: false);
        var (hidden, heads, headDim) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.HeadDim);
        bool bias = reader.FlagOr("bias", false);
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.SizeOr("max_position_embeddings", 2048),
            Layers = reader.Alike(null, reader.Rope()),
            Attention = new AttentionConfig(heads, 1, headDim, 1 / Math.Sqrt(headDim))
            {
                QkvBias = bias,
                OutputBias = bias,
                FusedOrder = FusedOrder.Blocks,
            },
            FeedForward = new FeedForwardConfig(
                reader.SizeOr("ffn_hidden_size", 4 * hidden), reader.Activation("activation", "gelu"), bias),
            Norm = new NormConfig(NormKind.Layer, reader.PositiveOr("layer_norm_epsilon", 1e-5), Bias: true),
            Parallel = true,
            TiedHead = reader.FlagOr("tie_word_embeddings", true),
            Names = new DecoderNames
            {
                Root = "transformer",
                Embedding = "word_embeddings",
                Layers = "h",
                FinalNorm = "ln_f",
                Attention = "self_attention",
                FusedQkv = "query_key_value",
                Output = "dense",
                Gate = null,
                Up = "dense_h_to_4h",
                Down = "dense_4h_to_h",
                FeedForwardNorm = null,
            },
        };
    }

    private static DecoderConfig Opt(ConfigReader reader)
    {
        reader.Expect("do_layer_norm_before", expected: true, missing: true);
        reader.Expect("layer_norm_elementwise_affine", expected: true, missing: true);
        reader.Expect("_remove_final_layer_norm", expected: false, missing: false);
        var (hidden, heads, headDim) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.HeadDim);
        if (reader.SizeOr("word_embed_proj_dim", hidden) is var width && width != hidden)
            throw reader.Unsupported(
                $"word_embed_proj_dim is {width} and not hidden_size, {hidden}",
                "supported are opt models that do not project the embedding");
        bool bias = reader.FlagOr("enable_bias", true);
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.SizeOr("max_position_embeddings", 2048),
            PositionOffset = 2,
            StandardDeviation = reader.NumberOr("init_std", 0.02),
            Layers = reader.Alike(null, null),
            Attention = new AttentionConfig(heads, heads, headDim, 1 / Math.Sqrt(headDim)) { QkvBias = bias, OutputBias = bias },
            FeedForward = new FeedForwardConfig(reader.Size("ffn_dim"), reader.Activation("activation_function", "relu"), bias),
            Norm = new NormConfig(NormKind.Layer, 1e-5, Bias: true),
            TiedHead = reader.FlagOr("tie_word_embeddings", true),
            Names = new DecoderNames
            {
                Root = "model.decoder",
                Positions = "embed_positions",
                FinalNorm = "final_layer_norm",
                Output = "out_proj",
                FeedForward = "",
                Gate = null,
                Up = "fc1",
                Down = "fc2",
                AttentionNorm = "self_attn_layer_norm",
                FeedForwardNorm = "final_layer_norm",
            },
        };
    }

    /// <summary>Llama and what differs from it in a few values.</summary>
    private static DecoderConfig LlamaLike(
        ConfigReader reader,
        int positions,
        double epsilon,
        int? window = null,
        double theta = 10000,
        bool tied = false,
        RopePairs pairs = RopePairs.Half,
        string epsilonKey = "rms_norm_eps",
        RopeConfig? rope = null)
    {
        var (hidden, heads, kvHeads, channels) = (reader.Sizes.HiddenSize, reader.Sizes.Heads, reader.Sizes.KvHeads, reader.Sizes.HeadDim);
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = hidden,
            MaxPositions = reader.SizeOr("max_position_embeddings", positions),
            Layers = reader.Alike(window, rope ?? reader.Rope(theta, pairs: pairs, positions: positions)),
            Attention = new AttentionConfig(heads, kvHeads, channels, 1 / Math.Sqrt(channels)),
            FeedForward = new FeedForwardConfig(reader.Size("intermediate_size"), reader.Activation("hidden_act", "silu")),
            Norm = new NormConfig(NormKind.RootMeanSquare, reader.PositiveOr(epsilonKey, epsilon)),
            TiedHead = reader.FlagOr("tie_word_embeddings", tied),
            Names = new DecoderNames(),
        };
    }
}

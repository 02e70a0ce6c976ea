using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>Families with layer norms and biases.</summary>
internal static partial class DecoderFamilies
{
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

    private static DecoderConfig Starcoder2(ConfigReader reader)
    {
        bool bias = reader.FlagOr("use_bias", true);
        var config = LlamaLike(
            reader, positions: 4096, epsilon: 1e-5, window: reader.FindSize("sliding_window"), tied: true, epsilonKey: "norm_epsilon");
        return config with
        {
            StandardDeviation = 0.018042,
            Norm = config.Norm with { Kind = NormKind.Layer, Bias = true },
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias },
            FeedForward = config.FeedForward with { Activation = reader.Activation("hidden_act", "gelu_pytorch_tanh"), Bias = bias },
            Names = config.Names with { Gate = null, Up = "c_fc", Down = "c_proj" },
        };
    }

    private static DecoderConfig StableLm(ConfigReader reader)
    {
        bool parallel = reader.FlagOr("use_parallel_residual", false);
        var config = LlamaLike(reader, positions: 4096, epsilon: 1e-5, epsilonKey: "layer_norm_eps");
        return config with
        {
            Parallel = parallel,
            Norm = config.Norm with { Kind = NormKind.Layer, Bias = true },
            Attention = config.Attention with
            {
                QkvBias = reader.FlagOr("use_qkv_bias", false),
                QkNorm = reader.FlagOr("qk_layernorm", false) ? QkNorm.EachHeadApart : QkNorm.None,
            },
            Names = config.Names with
            {
                QueryNorm = "q_layernorm",
                KeyNorm = "k_layernorm",
                FeedForwardNorm = parallel ? null : config.Names.FeedForwardNorm,
            },
        };
    }
}

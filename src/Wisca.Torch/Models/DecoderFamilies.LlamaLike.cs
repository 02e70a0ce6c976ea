using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>Llama, and what differs from it in a few values.</summary>
internal static partial class DecoderFamilies
{
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

    private static DecoderConfig Gemma2(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        reader.Expect("use_bidirectional_attention", expected: false, missing: false);
        int? window = reader.Has("sliding_window") ? reader.FindSize("sliding_window") : 4096;
        var config = LlamaLike(reader, positions: 8192, epsilon: 1e-6, tied: true);
        bool[] sliding = reader.SlidingLayers(config.Layers.Length, layer => layer % 2 == 0);
        if (window is null && sliding.Contains(true)) throw reader.Wrong("sliding_window is null, but there are sliding layers", "set it");
        return config with
        {
            Layers = [.. config.Layers.Select((layer, index) => layer with { Window = sliding[index] ? window : null })],
            EmbeddingScale = Math.Sqrt(config.HiddenSize),
            LogitCap = reader.PositiveOrNone("final_logit_softcapping", 30),
            Norm = config.Norm with { UnitOffset = true },
            Attention = config.Attention with
            {
                Scale = 1 / Math.Sqrt(reader.PositiveOr("query_pre_attn_scalar", 256)),
                ScoreCap = reader.PositiveOrNone("attn_logit_softcapping", 50),
                QkvBias = bias,
                OutputBias = bias,
            },
            FeedForward = config.FeedForward with { Activation = reader.Activation("hidden_activation", "gelu_pytorch_tanh") },
            Names = GemmaNames,
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

    private static DecoderConfig Granite(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 2048, epsilon: 1e-6);
        return config with
        {
            EmbeddingScale = reader.PositiveOr("embedding_multiplier", 1),
            ResidualScale = reader.PositiveOr("residual_multiplier", 1),
            LogitScale = 1 / reader.PositiveOr("logits_scaling", 1),
            Attention = config.Attention with
            {
                Scale = reader.PositiveOr("attention_multiplier", 1),
                QkvBias = bias,
                OutputBias = bias,
            },
            FeedForward = config.FeedForward with { Bias = reader.FlagOr("mlp_bias", false) },
        };
    }

    private static DecoderConfig SmolLm3(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 32768, epsilon: 1e-6, theta: 2e6, tied: true);
        int interval = reader.SizeOr("no_rope_layer_interval", 4), layers = config.Layers.Length;
        int? window = reader.FlagOr("use_sliding_window", false) ? reader.FindSize("sliding_window") : null;
        bool[] rotates = reader.LayerSwitches("no_rope_layers", layers, layer => (layer + 1) % interval != 0),
            sliding = reader.SlidingLayers(layers, layer => window is not null && !rotates[layer]);
        if (window is null && sliding.Contains(true))
            throw reader.Wrong(
                "layer_types names sliding layers, but there is no sliding window",
                "set use_sliding_window and sliding_window");
        return config with
        {
            Layers =
            [
                .. config.Layers.Select((layer, index) => new LayerConfig(
                    sliding[index] ? window : null, rotates[index] ? layer.Rope : null)),
            ],
            Attention = config.Attention with { QkvBias = bias, OutputBias = bias },
            FeedForward = config.FeedForward with { Bias = reader.FlagOr("mlp_bias", false) },
        };
    }

    private static DecoderConfig Phi3(ConfigReader reader)
    {
        const int positions = 4096;
        var config = LlamaLike(
            reader, positions, epsilon: 1e-5, window: reader.FindSize("sliding_window"),
            rope: reader.Rope(positions: positions, originalPositions: positions));
        return config with
        {
            Attention = config.Attention with { FusedOrder = FusedOrder.Blocks },
            Names = config.Names with { FusedQkv = "qkv_proj", FusedGateUp = "gate_up_proj" },
        };
    }

    private static DecoderConfig Glm(ConfigReader reader)
    {
        var config = LlamaLike(reader, positions: 131072, epsilon: 1.5625e-7, pairs: RopePairs.Interleaved);
        return config with
        {
            Attention = config.Attention with { QkvBias = reader.FlagOr("attention_bias", true) },
            Names = config.Names with { FusedGateUp = "gate_up_proj" },
        };
    }

    private static DecoderConfig Glm4(ConfigReader reader)
    {
        var config = Glm(reader);
        return config with
        {
            Names = config.Names with
            {
                AttentionPostNorm = "post_self_attn_layernorm",
                FeedForwardPostNorm = "post_mlp_layernorm",
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

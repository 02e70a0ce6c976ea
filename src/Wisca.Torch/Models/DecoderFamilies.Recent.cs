using Wisca.Attention;

namespace Wisca.Torch.Models;

internal static partial class DecoderFamilies
{
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

    private static DecoderConfig OlmoMixture(ConfigReader reader)
    {
        bool bias = reader.FlagOr("attention_bias", false);
        var config = LlamaLike(reader, positions: 4096, epsilon: 1e-5);
        var mixture = new MixtureConfig(
            reader.Count(reader.FindSize(["num_experts", "num_local_experts"]) ?? 64, "experts"),
            reader.SizeOr("num_experts_per_tok", 8))
        {
            NormalizeWeights = reader.FlagOr("norm_topk_prob", false),
            IntermediateSize = config.FeedForward.IntermediateSize,
            BalanceWeight = reader.NumberOr("router_aux_loss_coef", 0.01),
        };
        if (mixture.ExpertsPerToken > mixture.Experts)
            throw reader.Wrong(
                $"num_experts_per_tok is {mixture.ExpertsPerToken}, expected at most num_experts, {mixture.Experts}",
                "mend the configuration");
        return config with
        {
            Layers = [.. config.Layers.Select(layer => layer with { Mixture = mixture })],
            Attention = config.Attention with
            {
                QkvBias = bias,
                OutputBias = bias,
                QkNorm = QkNorm.AllHeads,
                Clip = reader.FindPositive("clip_qkv"),
            },
        };
    }
}

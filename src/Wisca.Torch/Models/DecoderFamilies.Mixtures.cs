using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>Mixtures of experts.</summary>
internal static partial class DecoderFamilies
{
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

    private static DecoderConfig DeepseekV3(ConfigReader reader)
    {
        const int positions = 4096;
        int heads = reader.Size("num_attention_heads"), layers = reader.Count(reader.Size("num_hidden_layers"), "layers");
        int plain = reader.SizeOr("qk_nope_head_dim", 128), turned = reader.SizeOr("qk_rope_head_dim", 64), width = plain + turned;
        int kvHeads = reader.Has("num_key_value_heads") ? reader.FindSize("num_key_value_heads") ?? heads : 128;
        if (kvHeads != heads)
            throw reader.Wrong(
                $"num_key_value_heads is {kvHeads}, but each of the {heads} heads has keys of its own",
                $"set num_key_value_heads to {heads}; where it is absent it is 128");
        if (reader.FindSize("head_dim") is { } headDim && headDim != turned)
            throw reader.Wrong($"head_dim is {headDim}, but qk_rope_head_dim, which it stands for, is {turned}", "take head_dim out");
        if (turned % 2 != 0) throw reader.Wrong($"qk_rope_head_dim is {turned}, expected an even number", "mend the configuration");
        bool bias = reader.FlagOr("attention_bias", false);
        var pairs = reader.FlagOr("rope_interleave", true) ? RopePairs.Interleaved : RopePairs.Half;
        var layer = new LayerConfig(null, reader.Rope(pairs: pairs, positions: positions, dims: turned));
        int dense = reader.SizeOr("first_k_dense_replace", 3, minimum: 0);
        var mixture = DeepseekMixture(reader);

        // YaRN's factor on queries and keys, where it is for all channels, is one on scores.
        double stretch = reader.FindRopeNumber("mscale_all_dim") is > 0 and var strength && reader.FindRopeNumber("factor") is { } factor
            ? RopeConfig.YarnMagnitude(factor, strength)
            : 1;
        return new DecoderConfig
        {
            ModelType = reader.ModelType,
            VocabularySize = reader.Size("vocab_size"),
            HiddenSize = reader.Size("hidden_size"),
            MaxPositions = reader.SizeOr("max_position_embeddings", positions),
            Layers = [.. Enumerable.Range(0, layers).Select(index => layer with { Mixture = index < dense ? null : mixture })],
            Attention = new AttentionConfig(heads, heads, width, stretch * stretch / Math.Sqrt(width))
            {
                QkvBias = bias,
                OutputBias = bias,
                Latent = new LatentConfig(
                    reader.Has("q_lora_rank") ? reader.FindSize("q_lora_rank") : 1536, reader.SizeOr("kv_lora_rank", 512), plain, turned,
                    reader.SizeOr("v_head_dim", 128)),
            },
            FeedForward = new FeedForwardConfig(reader.Size("intermediate_size"), reader.Activation("hidden_act", "silu")),
            Norm = new NormConfig(NormKind.RootMeanSquare, reader.PositiveOr("rms_norm_eps", 1e-6)),
            TiedHead = reader.FlagOr("tie_word_embeddings", false),
            Names = new DecoderNames { SharedExpert = "shared_experts", SharedExpertGate = null },
        };
    }

    private static MixtureConfig DeepseekMixture(ConfigReader reader)
    {
        int inner = reader.SizeOr("moe_intermediate_size", 2048);
        var mixture = new MixtureConfig(
            reader.Count(reader.FindSize(["n_routed_experts", "num_local_experts"]) ?? 256, "experts"),
            reader.SizeOr("num_experts_per_tok", 8))
        {
            SigmoidScores = true,
            Groups = reader.SizeOr("n_group", 8),
            GroupsPerToken = reader.SizeOr("topk_group", 4),
            NormalizeWeights = reader.FlagOr("norm_topk_prob", true),
            WeightScale = reader.PositiveOr("routed_scaling_factor", 2.5),
            IntermediateSize = inner,
            SharedIntermediateSize = inner * reader.SizeOr("n_shared_experts", 1),
        };
        var (experts, each) = mixture;
        if (experts % mixture.Groups != 0 || experts / mixture.Groups < 2)
            throw reader.Wrong(
                $"{experts} experts in {mixture.Groups} groups, expected equal groups of at least two", "mend n_routed_experts or n_group");
        if (mixture.GroupsPerToken > mixture.Groups)
            throw reader.Wrong(
                $"topk_group is {mixture.GroupsPerToken}, expected at most n_group, {mixture.Groups}", "mend the configuration");
        int within = experts / mixture.Groups * mixture.GroupsPerToken;
        return each <= within
            ? mixture
            : throw reader.Wrong(
                $"num_experts_per_tok is {each}, expected at most the {within} experts of topk_group groups", "mend the configuration");
    }
}

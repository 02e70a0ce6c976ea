using Wisca.Attention;

namespace Wisca.Torch.Models;

internal static partial class DecoderFamilies
{
    private static DecoderConfig DeepseekV3(ConfigReader reader)
    {
        const int positions = 4096;
        int heads = reader.Size("num_attention_heads"), layers = reader.Count(reader.Size("num_hidden_layers"), "layers");
        int plain = reader.SizeOr("qk_nope_head_dim", 128), turned = reader.SizeOr("qk_rope_head_dim", 64), width = plain + turned;
        if (reader.FindSize("num_key_value_heads") is { } kvHeads && kvHeads != heads)
            throw reader.Wrong(
                $"num_key_value_heads is {kvHeads}, but each of the {heads} heads has keys of its own", "take num_key_value_heads out");
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

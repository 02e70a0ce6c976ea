namespace Wisca.Torch.Models;

/// <summary>
/// What a family calls its tensors; the defaults are Llama's. A name that is null stands for a part that the family does not have.
/// </summary>
public sealed record DecoderNames
{
    /// <summary>What stands in front of everything but the head.
    /// Base models are often saved without it, or without its first part.</summary>
    public string Root { get; init; } = "model";

    /// <summary>Token embeddings, [vocabulary, hidden].</summary>
    public string Embedding { get; init; } = "embed_tokens";

    /// <summary>Learned position embeddings, [positions, hidden].</summary>
    public string? Positions { get; init; }

    /// <summary>The list of layers.</summary>
    public string Layers { get; init; } = "layers";

    /// <summary>The norm behind the last layer.</summary>
    public string FinalNorm { get; init; } = "norm";

    /// <summary>The output projection, [vocabulary, hidden], outside the root. Tied models do not have it as a tensor of its own.</summary>
    public string Head { get; init; } = "lm_head";

    /// <summary>A layer's attention.</summary>
    public string Attention { get; init; } = "self_attn";

    /// <summary>The fused query/key/value projection; null where the three are separate.</summary>
    public string? FusedQkv { get; init; }

    /// <summary>The query projection, where it is separate.</summary>
    public string Query { get; init; } = "q_proj";

    /// <summary>The key projection, where it is separate.</summary>
    public string Key { get; init; } = "k_proj";

    /// <summary>The value projection, where it is separate.</summary>
    public string Value { get; init; } = "v_proj";

    /// <summary>The output projection of the attention.</summary>
    public string Output { get; init; } = "o_proj";

    /// <summary>The norm on queries, where there is one.</summary>
    public string QueryNorm { get; init; } = "q_norm";

    /// <summary>The norm on keys, where there is one.</summary>
    public string KeyNorm { get; init; } = "k_norm";

    /// <summary>A layer's feed-forward part; empty where its projections stand in the layer itself.</summary>
    public string FeedForward { get; init; } = "mlp";

    /// <summary>The gate's projection and that to the inner width as one, the gate's rows first; null where they are separate.</summary>
    public string? FusedGateUp { get; init; }

    /// <summary>The gate projection, where it is separate; null where the feed-forward part has no gate.</summary>
    public string? Gate { get; init; } = "gate_proj";

    /// <summary>The projection to the inner width, where it is separate.</summary>
    public string Up { get; init; } = "up_proj";

    /// <summary>The projection back.</summary>
    public string Down { get; init; } = "down_proj";

    /// <summary>The router of a mixture of experts.</summary>
    public string Router { get; init; } = "gate";

    /// <summary>The list of experts of a mixture.</summary>
    public string Experts { get; init; } = "experts";

    /// <summary>The expert of a mixture that every token goes through, where there is one.</summary>
    public string SharedExpert { get; init; } = "shared_expert";

    /// <summary>The bias of a router's choice, where there is one, beside its weight.</summary>
    public string RouterBias { get; init; } = "e_score_correction_bias";

    /// <summary>What weighs the shared expert; null where nothing does.</summary>
    public string? SharedExpertGate { get; init; } = "shared_expert_gate";

    /// <summary>The norm in front of the attention.</summary>
    public string? AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>
    /// The norm in front of the feed-forward part; null where that reads what the attention reads (parallel layers) or the residual stream.
    /// </summary>
    public string? FeedForwardNorm { get; init; } = "post_attention_layernorm";

    /// <summary>The norm on the attention's result, before it joins the residual stream.</summary>
    public string? AttentionPostNorm { get; init; }

    /// <summary>The norm on the feed-forward part's result, before it joins the residual stream.</summary>
    public string? FeedForwardPostNorm { get; init; }
}

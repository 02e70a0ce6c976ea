namespace Wisca.Torch.Models;

/// <summary>What is normalised between the query and key projections and the dot product, before RoPE.</summary>
public enum QkNorm
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>All heads' channels as one vector, with a gain for each: [Heads x HeadDim] (olmo2).</summary>
    AllHeads,

    /// <summary>Each head by itself, with a gain for each of its channels: [Heads, HeadDim] (cohere).</summary>
    EachHead,

    /// <summary>The same with the gain of each head, [HeadDim], in a tensor of its own (stablelm).</summary>
    EachHeadApart,

    /// <summary>Each head by itself, with one gain for each channel that all heads share: [HeadDim] (qwen3, gemma3).</summary>
    EachHeadAlike,
}

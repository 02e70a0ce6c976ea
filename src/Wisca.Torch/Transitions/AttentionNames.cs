using Wisca.Attention;

namespace Wisca.Torch.Transitions;

/// <summary>
/// Where the attention of a model of one's own is: the names of its projection modules, in which <c>*</c> stands for the number of the
/// layer, as in <c>blocks.*.attention.query</c>. Weights are <c>[out, in]</c>, as <c>Linear</c> has them; biases are found by themselves.
/// </summary>
/// <param name="Query">The query projection, [Heads x HeadDim, hidden].</param>
/// <param name="Key">The key projection, [KvHeads x HeadDim, hidden].</param>
/// <param name="Value">The value projection, [KvHeads x HeadDim, hidden].</param>
/// <param name="Output">The output projection, [hidden, Heads x HeadDim].</param>
/// <param name="Heads">Number of query heads; those of one kv head are consecutive.</param>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="HeadDim">Channels per head.</param>
/// <param name="RotaryDims">Number of channels at the start of each head that RoPE rotates; 0 for none.</param>
/// <param name="RopePairs">How RoPE pairs them.</param>
public sealed record AttentionNames(
    string Query, string Key, string Value, string Output, int Heads, int KvHeads, int HeadDim, int RotaryDims = 0,
    RopePairs RopePairs = RopePairs.Half)
{
    /// <summary>
    /// True where queries or keys are normalised between projection and dot product: then the exchange between W_q and W_k is not exact and
    /// is left out. False by default.
    /// </summary>
    public bool QkNorm { get; init; }
}

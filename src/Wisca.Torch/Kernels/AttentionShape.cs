namespace Wisca.Torch.Kernels;

/// <summary>What <see cref="SmallHeadAttention"/> is told beside queries, keys and values.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key and value heads; each serves as many query heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Scale">What dot products are multiplied by.</param>
/// <param name="Halves">RoPE: true where channel c is paired with c + half of the rotated ones, false where with its neighbour.</param>
internal sealed record AttentionShape(int Heads, int KvHeads, int HeadDim, double Scale, bool Halves)
{
    /// <summary>Of each token the first key before it that it does not see, and the first behind those, [B, T, 2]; null where all are
    /// seen.</summary>
    public int[]? HiddenKeys { get; init; }
}

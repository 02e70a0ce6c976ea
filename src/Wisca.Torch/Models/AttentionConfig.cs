using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>The attention of every layer of a decoder.</summary>
/// <param name="Heads">Number of query heads.</param>
/// <param name="KvHeads">Number of key/value heads; query head h reads kv head h / (Heads / KvHeads).</param>
/// <param name="HeadDim">Channels per head.</param>
/// <param name="Scale">The factor on q.k before the softmax.</param>
public sealed record AttentionConfig(int Heads, int KvHeads, int HeadDim, double Scale)
{
    /// <summary>True where the query, key and value projections have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>True where the output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>How the projections are stored; the feed-forward layer's are stored alike.</summary>
    public Orientation Orientation { get; init; } = Orientation.Linear;

    /// <summary>How a fused projection interleaves its rows; not used where the three are separate.</summary>
    public FusedOrder FusedOrder { get; init; }

    /// <summary>The limit c of scores, which become c tanh(score / c) before the softmax (gemma2); null for none. The fused operators do
    /// not have it, so such a model computes with the eager ones.</summary>
    public double? ScoreCap { get; init; }

    /// <summary>The limit of every channel of queries, keys and values, behind their norm (OLMoE's clip_qkv); null for none.</summary>
    public double? Clip { get; init; }

    /// <summary>Set where keys and values are projected from a latent. HeadDim is then that of queries and keys.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>What is normalised between projection and dot product.</summary>
    public QkNorm QkNorm { get; init; }

    /// <summary>Two tensors of these heads and widths are cached for each position.</summary>
    internal (int Heads, int First, int Second) Cached =>
        Latent is { } latent ? (1, latent.Rank, latent.RotaryDim) : (KvHeads, HeadDim, HeadDim);
}

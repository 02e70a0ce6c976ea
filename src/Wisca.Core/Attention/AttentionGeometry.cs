using System.Collections.Immutable;

namespace Wisca.Attention;

/// <summary>What an exchange needs to know of a model's attention.</summary>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="HeadDim">Channels per head.</param>
/// <param name="RopePairs">How RoPE pairs channels where it acts.</param>
public sealed record AttentionGeometry(int KvHeads, int HeadDim, RopePairs RopePairs)
{
    /// <summary>The transitions that attention has.</summary>
    public static ImmutableArray<TransitionKind> Kinds { get; } = [TransitionKind.QueryKey, TransitionKind.ValueOutput];
}

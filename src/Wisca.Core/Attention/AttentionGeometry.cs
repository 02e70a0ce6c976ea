using System.Collections.Immutable;

namespace Wisca.Attention;

/// <summary>What an exchange needs to know of a model's attention.</summary>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="HeadDim">Channels in which the queries and keys of a head meet.</param>
/// <param name="RopePairs">How RoPE pairs channels where it acts.</param>
/// <param name="ValueDim">Channels of a head's values; null where they are as many.</param>
public sealed record AttentionGeometry(int KvHeads, int HeadDim, RopePairs RopePairs, int? ValueDim = null)
{
    /// <summary>The channels of a head in which the two sides of a transition meet.</summary>
    internal int DimOf(TransitionKind kind) => kind == TransitionKind.ValueOutput ? ValueDim ?? HeadDim : HeadDim;

    /// <summary>The transitions that attention has.</summary>
    public static ImmutableArray<TransitionKind> Kinds { get; } = [TransitionKind.QueryKey, TransitionKind.ValueOutput];
}

using System.Collections.Immutable;
using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Inspection;

/// <summary>The attention of one layer. Norms are sums of absolute values; null where the weights are packed.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Query">|W_q|_1.</param>
/// <param name="Key">|W_k|_1.</param>
/// <param name="Value">|W_v|_1.</param>
/// <param name="Output">|W_o|_1.</param>
/// <param name="QueryKeyExact">The granularities at which W_q and W_k exchange factors exactly.</param>
/// <param name="ValueOutputExact">The same for W_v and W_o.</param>
/// <param name="Refusals">What is refused, and why.</param>
public sealed record LayerInspection(
    int Layer,
    double? Query,
    double? Key,
    double? Value,
    double? Output,
    ImmutableArray<Granularity> QueryKeyExact,
    ImmutableArray<Granularity> ValueOutputExact,
    ImmutableDictionary<TransitionKind, string> Refusals)
{
    /// <summary>What is exact of the layer's MLPs (ud), of its norms (ng) and of the gains of its queries and keys (qn); a kind that the
    /// layer has nothing of is not there.</summary>
    public ImmutableDictionary<TransitionKind, TransitionFinding> Others { get; init; } =
        ImmutableDictionary<TransitionKind, TransitionFinding>.Empty;

    /// <summary>|W_q|_1 / |W_k|_1; 1 is balanced.</summary>
    public double? QueryKeyRatio => Query / Key;

    /// <summary>|W_v|_1 / |W_o|_1; 1 is balanced.</summary>
    public double? ValueOutputRatio => Value / Output;
}

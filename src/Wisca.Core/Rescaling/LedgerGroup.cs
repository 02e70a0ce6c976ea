using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>One group of a move.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Transition">Which projections.</param>
/// <param name="Granularity">How channels are grouped.</param>
/// <param name="Factor">s; 1 where nothing was done.</param>
/// <param name="Outcome">What became of the group.</param>
/// <param name="NormsBefore">Norms of the multiplied and the divided side before.</param>
/// <param name="NormsAfter">The same as measured on what was written.</param>
/// <param name="Slices">What was scaled.</param>
/// <param name="KvHead">The kv head; null where all share the factor.</param>
/// <param name="Channel">The channel, or the first of a pair; null where all share the factor.</param>
/// <param name="Note">A clamp, or why the group was skipped.</param>
public sealed record LedgerGroup(
    int Layer,
    TransitionKind Transition,
    Granularity Granularity,
    double Factor,
    GroupOutcome Outcome,
    IReadOnlyList<double> NormsBefore,
    IReadOnlyList<double> NormsAfter,
    IReadOnlyList<LedgerSlice> Slices,
    int? KvHead = null,
    int? Channel = null,
    string? Note = null)
{
    /// <summary>The record of a group.</summary>
    /// <param name="exchange">Its exchange.</param>
    /// <param name="group">Its index there.</param>
    /// <param name="balance">Its factor, and its norms before.</param>
    /// <param name="normsAfter">Its norms after.</param>
    public static LedgerGroup Of(Exchange exchange, int group, GroupBalance balance, IReadOnlyList<double> normsAfter) => new(
        exchange.Layer,
        exchange.Kind,
        exchange.Granularity,
        balance.Factor,
        balance.Outcome,
        [balance.MultipliedNorm, balance.DividedNorm],
        normsAfter,
        [.. exchange.Slices.Select(slice => new LedgerSlice(slice.Tensor, slice.Axis, slice.Exponent, exchange.Describe(slice, group)))],
        balance.Label.KvHead,
        balance.Label.Channel,
        balance.Note);
}

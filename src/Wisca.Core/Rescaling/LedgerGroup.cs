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
    string? Note = null);

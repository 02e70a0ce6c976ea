namespace Wisca.Transitions;

/// <summary>The norms of a group's two sides and the factor that follows.</summary>
/// <param name="Label">The group.</param>
/// <param name="MultipliedNorm">Norm of the side that is multiplied (queries, values), before.</param>
/// <param name="DividedNorm">Norm of the side that is divided (keys, output), before.</param>
/// <param name="Factor">s; 1 where the group is unchanged or skipped.</param>
/// <param name="Outcome">What becomes of the group.</param>
/// <param name="Note">A clamp, or why the group is skipped; null otherwise.</param>
public sealed record GroupBalance(
    GroupLabel Label, double MultipliedNorm, double DividedNorm, double Factor, GroupOutcome Outcome, string? Note);

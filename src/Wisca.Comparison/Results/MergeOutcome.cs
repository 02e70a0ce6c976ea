namespace Wisca.Comparison.Results;

/// <summary>What was taken over from another study's folder.</summary>
/// <param name="Taken">Number of runs that were taken over.</param>
/// <param name="Refused">What was not, and why.</param>
public sealed record MergeOutcome(int Taken, IReadOnlyList<RefusedResult> Refused);

using Wisca.Comparison.Results;

namespace Wisca.Comparison.Running;

/// <summary>How far a study came.</summary>
/// <param name="Interrupted">True where it was stopped.</param>
/// <param name="Failures">Runs that failed this time.</param>
public sealed record StudyOutcome(bool Interrupted, IReadOnlyList<RunFailure> Failures);

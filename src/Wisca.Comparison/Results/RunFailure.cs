namespace Wisca.Comparison.Results;

/// <summary>A run that ended without a result: <c>runs/ID/failure.json</c>, until it succeeds.</summary>
/// <param name="Id">The run's id.</param>
/// <param name="Label">What the study calls it.</param>
/// <param name="Reason">Why, on one line.</param>
public sealed record RunFailure(string Id, string Label, string Reason);

namespace Wisca.Comparison.Results;

/// <summary>A result that is not used.</summary>
/// <param name="Path">Its file, or its run's folder.</param>
/// <param name="Reason">What is wrong with it.</param>
public sealed record RefusedResult(string Path, string Reason);

namespace Wisca.Comparison.Running;

/// <summary>Where a study stands.</summary>
/// <param name="Finished">Number of runs with a result.</param>
/// <param name="Total">Number of runs that are known.</param>
/// <param name="Running">Labels of running ones, with their share of steps done.</param>
/// <param name="Remaining">What the rest will take on this machine; null before anything was measured.</param>
public sealed record StudyProgress(int Finished, int Total, IReadOnlyList<(string Label, double Share)> Running, TimeSpan? Remaining);

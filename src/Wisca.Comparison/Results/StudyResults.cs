namespace Wisca.Comparison.Results;

/// <summary>What a study's folder holds of finished runs.</summary>
/// <param name="ById">The results by id.</param>
/// <param name="Refused">Those that are not used.</param>
public sealed record StudyResults(Dictionary<string, RunResult> ById, IReadOnlyList<RefusedResult> Refused);

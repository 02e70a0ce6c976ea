namespace Wisca.Comparison.Results;

/// <summary>What a finished run's model reached in an evaluation.</summary>
/// <param name="Value">The value, such as the share of right answers.</param>
/// <param name="StandardError">Its standard error over the evaluation's items; null where it is not known.</param>
public sealed record RunScore(double Value, double? StandardError = null)
{
    /// <summary>True where more is better.</summary>
    public bool HigherIsBetter { get; init; } = true;

    /// <summary>What it was measured on: a part of a task's documents, or a text's length and digest; null for the whole of a task. Scores
    /// of different settings are not compared.</summary>
    public string? Setting { get; init; }
}

namespace Wisca.Comparison;

/// <summary>What a finished run's model reached in an evaluation.</summary>
/// <param name="Value">The value, such as the share of right answers.</param>
/// <param name="StandardError">Its standard error over the evaluation's items; null where it is not known.</param>
public sealed record RunScore(double Value, double? StandardError = null)
{
    /// <summary>True where more is better.</summary>
    public bool HigherIsBetter { get; init; } = true;

    /// <summary>What it was measured on, where that is less than the whole; null where it is the whole.</summary>
    public string? Setting { get; init; }
}

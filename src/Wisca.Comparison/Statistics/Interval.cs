namespace Wisca.Comparison.Statistics;

/// <summary>A range that a value lies in with the study's confidence.</summary>
/// <param name="Low">Its lower end.</param>
/// <param name="High">Its upper end.</param>
public sealed record Interval(double Low, double High)
{
    /// <summary>True where zero is one of the values that are possible.</summary>
    public bool IncludesZero() => Low <= 0 && High >= 0;
}

using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>An arm against the baseline in an evaluation of the trained models.</summary>
/// <param name="Name">The evaluation's name; <c>average</c> for the mean of all where more is better.</param>
/// <param name="Setting">What both were measured on; null for the whole of a task.</param>
/// <param name="HigherIsBetter">True where more is better.</param>
/// <param name="Baseline">The baseline's mean.</param>
/// <param name="Arm">The arm's mean.</param>
/// <param name="Difference">Paired differences.</param>
public sealed record ScoreDifference(
    string Name, string? Setting, bool HigherIsBetter, double Baseline, double Arm, PairedComparison Difference);

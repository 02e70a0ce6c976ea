using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>How many tokens an arm needs for the loss that the baseline ends with,
/// on the test text, between evaluations by a straight line.</summary>
/// <param name="Reached">Number of seeds at which the arm gets there.</param>
/// <param name="Seeds">Number of seeds.</param>
/// <param name="Share">Mean share of the baseline's tokens that it needs, where it gets there; null where it never does.</param>
/// <param name="Interval">Its paired-t interval; null unless it gets there at every seed, and at two or more.</param>
public sealed record TokensToEqualLoss(int Reached, int Seeds, double? Share, Interval? Interval);

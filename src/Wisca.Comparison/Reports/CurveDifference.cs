using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>An arm against the baseline after the same number of tokens, on the test text.</summary>
/// <param name="Step">Number of steps.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Mean">Mean difference of the loss, in nats.</param>
/// <param name="Interval">Its paired-t interval; null below two seeds.</param>
public sealed record CurveDifference(long Step, long Tokens, double Mean, Interval? Interval);

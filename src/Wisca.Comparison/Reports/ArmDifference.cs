using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>An arm against the baseline, on the test text, at the seeds that both have.</summary>
/// <param name="LearningRate">The arm's learning rate.</param>
/// <param name="BaselineLearningRate">The baseline's.</param>
/// <param name="Loss">Differences of the loss, in nats.</param>
/// <param name="Perplexity">Differences of perplexity.</param>
/// <param name="PerplexityChange">Change of perplexity in percent, 100 (exp(difference of loss) - 1):
/// the mean's, which is that of the geometric mean.</param>
/// <param name="PerplexityChangeInterval">The interval of the same.</param>
/// <param name="Diverged">Number of seeds at which one of the two diverged; they are in no mean.</param>
public sealed record ArmDifference(
    double LearningRate, double BaselineLearningRate, PairedComparison Loss, PairedComparison Perplexity, double PerplexityChange,
    Interval? PerplexityChangeInterval, int Diverged)
{
    /// <summary>The p-value of the loss's t-test, adjusted by Holm for all arms of the model and regime;
    /// null where it is not one of them.</summary>
    public double? HolmPValue { get; init; }
}

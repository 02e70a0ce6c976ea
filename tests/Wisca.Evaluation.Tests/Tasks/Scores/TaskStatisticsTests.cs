using CsCheck;
using Wisca.Evaluation.Tasks.Scores;

namespace Wisca.Evaluation.Tests.Tasks.Scores;

public sealed class TaskStatisticsTests
{
    private static readonly double[] LogLikelihoods = [-1.5, -0.25, -3.0, -2.125, -0.5];

    [Fact]
    public void MeanStandardError_Values_IsPythons()
    {
        TaskStatistics.MeanStandardError([1, 0, 1, 1, 0, 1, 0])!.Value.ShouldBe(0.20203050891044214, 1e-15);
        TaskStatistics.MeanStandardError([1]).ShouldBeNull();
    }

    [Fact]
    public void MeanStandardError_ZerosAndOnes_IsTheBinomialOne() =>
        Gen.Int[1, 200].Select(Gen.Int[1, 200]).Sample((ones, zeros) =>
        {
            int n = ones + zeros;
            double p = (double)ones / n,
                error =
                    TaskStatistics.MeanStandardError([.. Enumerable.Repeat(1.0, ones), .. Enumerable.Repeat(0.0, zeros)])!.Value;
            error.ShouldBe(Math.Sqrt(p * (1 - p) / (n - 1)), 1e-12);
        });

    [Theory]
    [InlineData(3000, 2.372142767851026)]
    [InlineData(10, 2.1865139959761484)]
    public void PerplexityStandardError_Values_IsThatOfPythonsDraws(int iterations, double expected)
    {
        TaskStatistics.PerplexityStandardError(LogLikelihoods, iterations, threads: 1)!.Value.ShouldBe(expected, 1e-13);
        TaskStatistics.PerplexityStandardError(LogLikelihoods, iterations, threads: 2)!.Value.ShouldBe(expected, 1e-13);
        TaskStatistics.PerplexityStandardError([-1], iterations, threads: 1).ShouldBeNull();
    }

    [Fact]
    public void Perplexity_Values_IsExpOfMinusTheMean() => TaskStatistics.Perplexity(LogLikelihoods).ShouldBe(4.371035772929758, 1e-14);

    [Fact]
    public void PooledStandardError_Values_IsPythons()
    {
        TaskStatistics.PooledStandardError([0.1, 0.2, 0.05], [10, 20, 5])!.Value.ShouldBe(0.12008181734610306, 1e-15);
        TaskStatistics.PooledStandardError([0.1, null], [10, 1]).ShouldBeNull();
    }

    [Fact]
    public void GroupMean_Weights_CountTasksOrDocuments()
    {
        TaskStatistics.GroupMean([1, 0.5], [10, 30], weightBySize: false).ShouldBe(0.75);
        TaskStatistics.GroupMean([1, 0.5], [10, 30], weightBySize: true).ShouldBe(0.625);
    }

    [Fact]
    public void ArgMax_Ties_TheFirst() => TaskStatistics.ArgMax([-2, -1, -1, -3]).ShouldBe(1);
}

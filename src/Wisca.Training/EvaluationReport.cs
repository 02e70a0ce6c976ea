namespace Wisca.Training;

/// <summary>An evaluation on held-out text.</summary>
/// <param name="Step">Number of steps that are done.</param>
/// <param name="Loss">Mean negative log-likelihood in nats.</param>
/// <param name="Tokens">Number of tokens predicted.</param>
/// <param name="Elapsed">What it took.</param>
public sealed record EvaluationReport(long Step, double Loss, long Tokens, TimeSpan Elapsed)
{
    /// <summary>exp(Loss).</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>The loss on the test text, in nats, where there is such text: what nothing is chosen by.</summary>
    public double? TestLoss { get; init; }

    /// <summary>The loss of the averaged weights, where there is an average; <see cref="Loss"/> is then that of the trained ones.</summary>
    public double? AverageLoss { get; init; }
}

using Wisca.Torch.Transitions;

namespace Wisca.Training;

/// <summary>What a step, or the steps since the last report, came to.</summary>
/// <param name="Step">Number of steps that are done.</param>
/// <param name="Steps">Number of steps of the run.</param>
/// <param name="Loss">Mean negative log-likelihood of the steps' training tokens, in nats.</param>
/// <param name="LearningRate">The learning rate of the last step.</param>
/// <param name="GradientNorm">The global norm of the last step's gradients, before clipping.</param>
/// <param name="TokensPerSecond">Training tokens per second.</param>
/// <param name="OutsideShare">Share of the time that was not spent in forward and backward passes,
/// transitions and evaluation aside.</param>
/// <param name="Remaining">What the rest of the run will take at this pace.</param>
public sealed record StepReport(
    long Step, long Steps, double Loss, double LearningRate, double GradientNorm, double TokensPerSecond, double OutsideShare,
    TimeSpan Remaining)
{
    /// <summary>Number of tokens trained on so far.</summary>
    public long TokensSeen { get; init; }

    /// <summary>For each exchanged pair of projections, log2 of the ratio of their norms; empty where the model has no exchange.</summary>
    public IReadOnlyList<GroupImbalance> Imbalances { get; init; } = [];

    /// <summary>Share of the time of steps in which this process waited for the gradients of the others, with nothing left to compute
    /// beside it; null where it trains alone.</summary>
    public double? WaitingShare { get; init; }

    /// <summary>The load-balancing loss of a mixture of experts, weighted; null for other models.</summary>
    public double? Auxiliary { get; init; }
}

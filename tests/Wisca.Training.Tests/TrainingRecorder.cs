using Wisca.Torch.Transitions;

namespace Wisca.Training.Tests;

/// <summary>Keeps what a training run tells.</summary>
internal sealed class TrainingRecorder : ITrainingObserver
{
    public List<StepReport> Steps { get; } = [];

    public List<EvaluationReport> Evaluations { get; } = [];

    public List<TransitionEvent> Transitions { get; } = [];

    public List<RotationEvent> Rotations { get; } = [];

    public List<HeadBalanceEvent> HeadBalances { get; } = [];

    public List<string> Samples { get; } = [];

    public List<string> Notices { get; } = [];

    /// <summary>Called after each report of steps.</summary>
    public Action<StepReport>? OnTrained { get; init; }

    /// <summary>The losses of the reports.</summary>
    public IReadOnlyList<double> Losses => [.. Steps.Select(report => report.Loss)];

    public void Trained(StepReport report)
    {
        Steps.Add(report);
        OnTrained?.Invoke(report);
    }

    public void Evaluated(EvaluationReport report) => Evaluations.Add(report);

    public void Transitioned(TransitionEvent transition) => Transitions.Add(transition);

    public void Rotated(RotationEvent rotation) => Rotations.Add(rotation);

    public void HeadsBalanced(HeadBalanceEvent balance) => HeadBalances.Add(balance);

    public void Sampled(long completedSteps, string prompt, string continuation) => Samples.Add(continuation);

    public void Saved(long completedSteps, string folder)
    {
    }

    public void Notice(string message) => Notices.Add(message);
}

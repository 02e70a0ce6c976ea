using Wisca.Torch.Transitions;
using Wisca.Training;

namespace Wisca.Cli.CommandLine;

/// <summary>Shows nothing of a run: another rank does.</summary>
internal sealed class SilentObserver : ITrainingObserver
{
    public void Trained(StepReport report)
    {
    }

    public void Evaluated(EvaluationReport report)
    {
    }

    public void Transitioned(TransitionEvent transition)
    {
    }

    public void Sampled(long completedSteps, string prompt, string continuation)
    {
    }

    public void Saved(long completedSteps, string folder)
    {
    }

    public void Notice(string message)
    {
    }
}

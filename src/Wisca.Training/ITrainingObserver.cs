using Wisca.Torch.Lora;
using Wisca.Torch.Transitions;

namespace Wisca.Training;

/// <summary>Told what happens in a training run, on the thread that trains.</summary>
public interface ITrainingObserver
{
    /// <summary>Steps were made; told every so many.</summary>
    void Trained(StepReport report);

    /// <summary>Held-out text was evaluated.</summary>
    void Evaluated(EvaluationReport report);

    /// <summary>A transition was applied.</summary>
    void Transitioned(TransitionEvent transition);

    /// <summary>The model was rotated.</summary>
    void Rotated(RotationEvent rotation)
    {
    }

    /// <summary>The two sides of heads were balanced by matrices.</summary>
    void HeadsBalanced(HeadBalanceEvent balance)
    {
    }

    /// <summary>The factors of an adapter were balanced.</summary>
    void Balanced(LoraBalanceEvent balance)
    {
    }

    /// <summary>The model wrote a text.</summary>
    void Sampled(long completedSteps, string prompt, string continuation);

    /// <summary>A checkpoint was saved.</summary>
    void Saved(long completedSteps, string folder);

    /// <summary>Something that the user should know.</summary>
    void Notice(string message);
}

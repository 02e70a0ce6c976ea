using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Training;

/// <summary>What a run trains: which parameters, what moves with them, and what a checkpoint keeps.</summary>
internal abstract class Trainee(Decoder model) : IDisposable
{
    public Decoder Model => model;

    /// <summary>Digest of what a checkpoint does not hold although the run stands on it; null for none.</summary>
    public virtual string? BaseDigest => null;

    /// <summary>What the optimizer updates, by name.</summary>
    public abstract IReadOnlyList<(string Name, Parameter Parameter)> Trained { get; }

    /// <summary>All that a transition may move, by name.</summary>
    public virtual IReadOnlyList<(string Name, Parameter Parameter)> Movable => Trained;

    /// <summary>What moves when a transition moves the model, beside the optimizer's state and averages.</summary>
    public virtual IReadOnlyList<IParameterState> Followers => [];

    /// <summary>True where the norms of the model's projections change while it trains, so that they are worth recording.</summary>
    public virtual bool RecordsNorms => true;

    /// <summary>What of it may be rotated.</summary>
    /// <exception cref="WiscaException">No architecture table fits the model.</exception>
    public virtual RotationPlan RotationPlan() => RotationScheduler.PlanFor(model);

    /// <summary>The transitions of a run as they are left to its scheduler.</summary>
    public virtual WiscaOptions Remaining(WiscaOptions options) => options;

    /// <summary>The transition that was applied before anything was attached to the model; null where there was none.</summary>
    public virtual TransitionEvent? Opening => null;

    /// <summary>Called once, when all is made and before the optimizer's state is restored.</summary>
    /// <param name="scheduler">The scheduler of transitions; null for none.</param>
    /// <param name="states">The optimizer, and the average where there is one.</param>
    /// <param name="rotationsContinue">True where the product of its rotations goes on.</param>
    public abstract void Begin(WiscaScheduler? scheduler, IReadOnlyList<IParameterState> states, bool rotationsContinue);

    /// <summary>Adds the gradients of a step.</summary>
    public virtual (double Loss, double Auxiliary) AddGradients(
        long step, IReadOnlyList<TrainingBatch> batches, SharedGradients? shared) => BatchGradients.Add(model, batches, shared);

    /// <summary>Told of each transition, so that a checkpoint can tell of it.</summary>
    public virtual void Moved(TransitionEvent transition)
    {
    }

    /// <summary>Balances the factors of an adapter where that is due after so many steps; null where nothing was done.</summary>
    public virtual LoraBalanceEvent? Balance(long step) => null;

    /// <summary>Writes the trained model, or what of it is the run's own, into an empty folder.</summary>
    public abstract void Save(string folder, Dtype dtype, TrainingData data);

    /// <summary>Writes what resuming needs beside that and the optimizer's state into a checkpoint's folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="rotations">The rotations of the run; null for none.</param>
    /// <param name="heads">The balancer of heads; null for none.</param>
    public virtual void SaveState(string folder, RotationScheduler? rotations, HeadBalancer? heads)
    {
    }

    public virtual void Dispose() => model.Dispose();
}

using Wisca.Settings;
using Wisca.Torch;
using Wisca.Torch.Transitions;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>
/// What every training run is described by, whatever is trained and on what. Each kind of run declares the keys again, in the order
/// in which they are printed, and says what is its own about them: what they mean, or their defaults.
/// </summary>
public abstract record RunConfig
{
    /// <summary>
    /// The run folder: checkpoints, metrics and the configuration as it was used go there. Paths are relative to the folder that the
    /// command is started in.
    /// </summary>
    [Setting(
        "The run folder: checkpoints, metrics and the configuration as it was used go there. Paths are relative to the folder that the "
        + "command is started in.")]
    public abstract string Output { get; init; }

    /// <summary>What is random follows from it.</summary>
    public abstract long Seed { get; init; }

    /// <summary>Where to train: cuda is the first graphics card, or of several processes one card for each.</summary>
    [Setting(
        "Where to train: cuda is the first graphics card, or of several processes one card for each.",
        Pattern = ComputeDevice.Pattern, Expected = ComputeDevice.Expected)]
    public abstract string Device { get; init; }

    /// <summary>Number of threads; 0 for all cores.</summary>
    [Setting("Number of threads; 0 for all cores.", Minimum = 0, Maximum = 4096)]
    public abstract int Threads { get; init; }

    /// <summary>What the forward and backward pass compute in.</summary>
    public abstract TrainingPrecision Precision { get; init; }

    /// <summary>Number of sequences that go through the model together.</summary>
    public abstract int BatchSize { get; init; }

    /// <summary>Number of batches whose gradients make one step.</summary>
    public abstract int Accumulation { get; init; }

    /// <summary>Decay of an average of the weights; null for none.</summary>
    public abstract double? Ema { get; init; }

    /// <summary>The update rule.</summary>
    /// <remarks>As it was given; <see cref="EffectiveOptimizer"/> is what a run goes by.</remarks>
    [Setting("The update rule.")]
    public abstract OptimizerSection Optimizer { get; init; }

    /// <summary>The learning rate over time.</summary>
    [Setting("The learning rate over time.")]
    public abstract ScheduleSection Schedule { get; init; }

    /// <summary>Transitions.</summary>
    public abstract WiscaSection Wisca { get; init; }

    /// <summary>Evaluation on held-out data.</summary>
    public abstract EvaluationSection Evaluation { get; init; }

    /// <summary>Checkpoints.</summary>
    public abstract CheckpointSection Checkpoints { get; init; }

    /// <summary>What is written about the run.</summary>
    [Setting("What is written about the run.")]
    public abstract LoggingSection Logging { get; init; }

    /// <summary>When a run ends before its last step.</summary>
    [Setting("When a run ends before its last step.", Key = "stop")]
    public abstract StopSection Ending { get; init; }

    /// <summary>Training by several processes: mpirun -n 4 wisca train ... They compute what one would.</summary>
    [Setting("Training by several processes: mpirun -n 4 wisca train ... They compute what one would.", Unhashed = true)]
    public abstract DistributedSection Distributed { get; init; }

    /// <summary>The update rule with what follows from other settings.</summary>
    public virtual OptimizerSection EffectiveOptimizer => Optimizer;

    /// <summary>A hash of what the run computes: not of where it is written, nor of how it is reported.</summary>
    public string ComputationHash => SettingsWriter.Hash(Computed());

    /// <summary>The configuration with what computes nothing as by default: where it is written, how it is reported.</summary>
    public virtual RunConfig Computed() =>
        this with
        {
            Output = "run",
            Threads = 0,
            Logging = new(),
            Checkpoints = new() { Dtype = Checkpoints.Dtype },
            Distributed = new(),
        };

    /// <summary>The configuration as YAML that reads back as the same configuration.</summary>
    /// <param name="commented">True to put each key's meaning, range and default above it.</param>
    public string ToYaml(bool commented) => SettingsWriter.Write(this, commented);

    /// <summary>The settings of what is computed in which a configuration differs from this one, but for the model:
    /// a resumed run has that of its checkpoint.</summary>
    /// <param name="path">The other's file.</param>
    /// <exception cref="WiscaException">The file cannot be read.</exception>
    public abstract IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path);

    /// <summary>Reports transitions and rotations that the update rule does not allow.</summary>
    /// <param name="given">Where faults are reported.</param>
    /// <param name="whole">True where the weights that transitions scale are trained themselves.</param>
    private protected void CheckTransitions(GivenSettings given, bool whole)
    {
        if (whole && Wisca.Criterion == Criterion.Fisher && Optimizer.Name is not (OptimizerKind.AdamW or OptimizerKind.Soap))
            given.Contradict(
                ["wisca.criterion", "optimizer.name"],
                "fisher needs the second moments of the gradients, expected optimizer.name: adamw or soap");
        if (Wisca.TransportEpsilon && Optimizer.Name is OptimizerKind.Sgd or OptimizerKind.Lion)
            given.Contradict(["wisca.transport_epsilon", "optimizer.name"], "true, expected false: this optimizer has no epsilon");
        if (!whole && Wisca.Balance.IsActive)
            given.Contradict(
                ["wisca.balance.every", "adapter.type"],
                "balances the heads of a base that does not train, expected 0, or adapter.type: none to train the whole model; "
                + "adapter.balance balances the adapter");
        if (whole && Wisca.Rotate.Adapters is not null)
            given.Contradict(
                ["wisca.rotate.adapters", "adapter.type"],
                "rotates the factors of an adapter, and none is trained, expected none; wisca.rotate.stream rotates a model that trains");
        if (Optimizer is not { Name: OptimizerKind.Sgd, MomentumOrDefault: 0 }) return;
        if (Wisca.Rotate.Stream == RotationSource.Momentum || Wisca.Rotate.Adapters == RotationSource.Momentum)
            given.Contradict(
                [Wisca.Rotate.Stream == RotationSource.Momentum ? "wisca.rotate.stream" : "wisca.rotate.adapters", "optimizer.momentum"],
                "momentum, which this optimizer does not keep; expected gradient, or a momentum above 0");
    }
}

using Wisca.Adapters;
using Wisca.Settings;
using Wisca.Torch;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>Everything that a fine-tuning is made from. A new record is the defaults; base and data must be given.</summary>
public sealed record FinetuneConfig : RunConfig, ISettingsSection
{
    /// <inheritdoc/>
    public override string Output { get; init; } = "runs/finetune";

    /// <summary>Decides the factors' first values, what is dropped, and the order of the data.</summary>
    [Setting("Decides the factors' first values, what is dropped, and the order of the data.", Minimum = 0)]
    public override long Seed { get; init; } = 1;

    /// <inheritdoc/>
    public override string Device { get; init; } = ComputeDevice.Cpu;

    /// <inheritdoc/>
    public override int Threads { get; init; }

    /// <summary>What the forward and backward pass compute in. Adapter and optimizer state are float32 in any case.</summary>
    [Setting("What the forward and backward pass compute in. Adapter and optimizer state are float32 in any case.")]
    public override TrainingPrecision Precision { get; init; } = TrainingPrecision.Fp32;

    /// <summary>Number of rows that go through the model together.</summary>
    [Setting("Number of rows that go through the model together.", Minimum = 1)]
    public override int BatchSize { get; init; } = 4;

    /// <summary>Number of batches whose gradients make one step, weighted by their tokens that count.</summary>
    [Setting("Number of batches whose gradients make one step, weighted by their tokens that count.", Minimum = 1)]
    public override int Accumulation { get; init; } = 1;

    /// <summary>Number of optimizer steps; none to go by epochs.</summary>
    [Setting("Number of optimizer steps; none to go by epochs.", Minimum = 1)]
    public int? Steps { get; init; }

    /// <summary>Number of passes over the examples, where steps is none.</summary>
    [Setting("Number of passes over the examples, where steps is none.", Minimum = 0, Above = true)]
    public double Epochs { get; init; } = 1;

    /// <summary>Decay of an exponential moving average of what trains, which is then evaluated and stored beside it.</summary>
    [Setting(
        "Decay of an exponential moving average of what trains, which is then evaluated and stored beside it.", Minimum = 0, Above = true,
        Maximum = 1, Below = true)]
    public override double? Ema { get; init; }

    /// <summary>The model to fine-tune.</summary>
    [Setting("The model to fine-tune.")]
    public BaseSection Base { get; init; } = new();

    /// <summary>What is trained of it, or beside it.</summary>
    [Setting("What is trained of it, or beside it.")]
    public AdapterSection Adapter { get; init; } = new();

    /// <summary>The examples.</summary>
    [Setting("The examples.")]
    public InstructionSection Data { get; init; } = new();

    /// <inheritdoc/>
    public override OptimizerSection Optimizer { get; init; } = new() { LearningRate = 2e-4, WeightDecay = 0 };

    /// <inheritdoc/>
    public override ScheduleSection Schedule { get; init; } = new();

    /// <summary>
    /// WISCA: transitions of the base to an equivalent one with balanced attention weights: before an adapter is attached (init), and while
    /// it trains, when the adapter follows.
    /// </summary>
    [Setting(
        "WISCA: transitions of the base to an equivalent one with balanced attention weights: before an adapter is attached (init), and "
        + "while it trains, when the adapter follows.")]
    public override WiscaSection Wisca { get; init; } = new() { Every = 0 };

    /// <summary>How the adapter is saved.</summary>
    [Setting("How the adapter is saved.")]
    public AdapterSaveSection Save { get; init; } = new();

    /// <summary>Evaluation on held-out examples: the mean loss of an answer's token.</summary>
    [Setting("Evaluation on held-out examples: the mean loss of an answer's token.")]
    public override EvaluationSection Evaluation { get; init; } = new() { Samples = new() { Every = 0 } };

    /// <summary>Checkpoints, each an adapter's folder (or a model's) together with what resuming needs.</summary>
    [Setting("Checkpoints, each an adapter's folder (or a model's) together with what resuming needs.")]
    public override CheckpointSection Checkpoints { get; init; } = new();

    /// <inheritdoc/>
    public override LoggingSection Logging { get; init; } = new();

    /// <inheritdoc/>
    public override StopSection Ending { get; init; } = new();

    /// <inheritdoc/>
    public override DistributedSection Distributed { get; init; } = new();

    /// <inheritdoc/>
    public override OptimizerSection EffectiveOptimizer =>
        Adapter is not { Type: AdapterKind.Lora, LoraPlusRatio: not 1 }
            ? Optimizer
            : Optimizer with
            {
                Multipliers =
                [
                    .. Optimizer.Multipliers,
                    new ParameterMultiplier { Parameters = "*.lora_B.weight", LearningRate = Adapter.LoraPlusRatio },
                ],
            };

    /// <inheritdoc cref="TrainingConfig.Load"/>
    public static FinetuneConfig Load(string? path, IReadOnlyList<string>? overrides = null) =>
        SettingsReader.Load<FinetuneConfig>(path, overrides);

    /// <inheritdoc/>
    public override IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path) =>
        SettingsWriter.Differences(Load(path).Computed(), Computed());

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        bool lora = Adapter.Type == AdapterKind.Lora;

        // A printed configuration has both, epochs as by default.
        const double one = 1;
        int decided = given.Decide(
            "epochs", Epochs != one || given.Layer("epochs") > given.Layer("steps"),
            "steps", Steps is not null);
        if (lora && Wisca.Criterion == Criterion.Fisher)
            given.Contradict(
                ["wisca.criterion", "adapter.type"],
                "fisher needs the second moments of the base's gradients, which a frozen base has none of; expected another criterion");
        CheckTransitions(given, whole: !lora);
        if (lora && Wisca.Rotate.Stream is not null && Save.For != AdapterGauge.Original)
            given.Contradict(
                ["save.for", "wisca.rotate.stream"],
                "rescaled although the base is rotated, expected original: that one is not written");
        if (!lora && Base.Dtype != BaseDtype.Fp32)
            given.Contradict(["base.dtype", "adapter.type"], "stored for a model that trains whole, expected fp32");
        return decided > 0 ? this with { Steps = null } : decided < 0 ? this with { Epochs = one } : this;
    }
}

using Wisca.Settings;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Everything that a fine-tuning is made from. A new record is the defaults; base and data must be given.</summary>
public sealed record FinetuneConfig : RunConfig, ISettingsSection
{
    public override string Output { get; init; } = "runs/finetune";

    [Setting("Decides the factors' first values, what is dropped, and the order of the data.", Minimum = 0)]
    public override long Seed { get; init; } = 1;

    public override TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

    public override int Threads { get; init; }

    [Setting("What the forward and backward pass compute in. Adapter and optimizer state are float32 in any case.")]
    public override TrainingPrecision Precision { get; init; } = TrainingPrecision.Fp32;

    [Setting("Number of rows that go through the model together.", Minimum = 1)]
    public override int BatchSize { get; init; } = 4;

    [Setting("Number of batches whose gradients make one step, weighted by their tokens that count.", Minimum = 1)]
    public override int Accumulation { get; init; } = 1;

    [Setting("Number of optimizer steps; none to go by epochs.", Minimum = 1)]
    public int? Steps { get; init; }

    [Setting("Number of passes over the examples, where steps is none.", Minimum = 0, Above = true)]
    public double Epochs { get; init; } = 1;

    [Setting(
        "Decay of an exponential moving average of what trains, which is then evaluated and stored beside it.", Minimum = 0, Above = true,
        Maximum = 1, Below = true)]
    public override double? Ema { get; init; }

    [Setting("The model to fine-tune.")]
    public BaseSection Base { get; init; } = new();

    [Setting("What is trained of it, or beside it.")]
    public AdapterSection Adapter { get; init; } = new();

    [Setting("The examples.")]
    public InstructionSection Data { get; init; } = new();

    public override OptimizerSection Optimizer { get; init; } = new() { LearningRate = 2e-4, WeightDecay = 0 };

    public override ScheduleSection Schedule { get; init; } = new();

    [Setting(
        "WISCA: transitions of the base to an equivalent one with balanced attention weights: before an adapter is attached (init), and "
        + "while it trains, when the adapter follows.")]
    public override WiscaSection Wisca { get; init; } = new() { Every = 0 };

    [Setting("How the adapter is saved.")]
    public AdapterSaveSection Save { get; init; } = new();

    [Setting("Evaluation on held-out examples: the mean loss of an answer's token.")]
    public override EvaluationSection Evaluation { get; init; } = new() { Samples = new() { Every = 0 } };

    [Setting("Checkpoints, each an adapter's folder (or a model's) together with what resuming needs.")]
    public override CheckpointSection Checkpoints { get; init; } = new();

    public override LoggingSection Logging { get; init; } = new();

    public override StopSection Ending { get; init; } = new();

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
        SettingsWriter.Differences(Load(path).Computed, Computed);

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        bool lora = Adapter.Type == AdapterKind.Lora;
        if (Steps is not null && given.Has("epochs") && Epochs != 1)
            given.Contradict(["epochs", "steps"], "given together with steps, expected one of the two");
        if (lora && Wisca.Criterion == Criterion.Fisher)
            given.Contradict(
                ["wisca.criterion", "adapter.type"],
                "fisher needs the second moments of the base's gradients, which a frozen base has none of; expected another criterion");
        CheckTransitions(given, whole: !lora);
        if (!lora && Base.Dtype != BaseDtype.Fp32)
            given.Contradict(["base.dtype", "adapter.type"], "stored for a model that trains whole, expected fp32");
        return this;
    }
}

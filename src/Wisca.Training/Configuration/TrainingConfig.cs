using Wisca.Settings;
using Wisca.Torch;

namespace Wisca.Training.Configuration;

/// <summary>Everything that a training run is made from. A new record is the defaults.</summary>
public sealed record TrainingConfig : RunConfig, ISettingsSection
{
    /// <inheritdoc/>
    public override string Output { get; init; } = "runs/train";

    /// <summary>Decides initial weights, the order of the data, built-in stories and samples.</summary>
    [Setting("Decides initial weights, the order of the data, built-in stories and samples.", Minimum = 0)]
    public override long Seed { get; init; } = 1;

    /// <inheritdoc/>
    public override string Device { get; init; } = ComputeDevice.Cpu;

    /// <inheritdoc/>
    public override int Threads { get; init; }

    /// <summary>What the forward and backward pass compute in. Weights and optimizer state are float32 in any case.</summary>
    [Setting("What the forward and backward pass compute in. Weights and optimizer state are float32 in any case.")]
    public override TrainingPrecision Precision { get; init; } = TrainingPrecision.Fp32;

    /// <summary>Number of sequences that go through the model together.</summary>
    [Setting("Number of sequences that go through the model together.", Minimum = 1)]
    public override int BatchSize { get; init; } = 16;

    /// <summary>Number of batches whose gradients make one step, weighted by their real tokens.</summary>
    [Setting("Number of batches whose gradients make one step, weighted by their real tokens.", Minimum = 1)]
    public override int Accumulation { get; init; } = 1;

    /// <summary>Number of optimizer steps.</summary>
    [Setting("Number of optimizer steps.", Minimum = 1)]
    public int Steps { get; init; } = 2000;

    /// <summary>Decay of an exponential moving average of the weights, which is then evaluated and stored beside them.</summary>
    [Setting(
        "Decay of an exponential moving average of the weights, which is then evaluated and stored beside them.", Minimum = 0, Above = true,
        Maximum = 1, Below = true)]
    public override double? Ema { get; init; }

    /// <summary>The model to train.</summary>
    [Setting("The model to train.")]
    public ModelSection Model { get; init; } = new();

    /// <summary>The tokenizer.</summary>
    [Setting("The tokenizer.")]
    public TokenizerSection Tokenizer { get; init; } = new();

    /// <summary>The text.</summary>
    [Setting("The text.")]
    public DataSection Data { get; init; } = new();

    /// <inheritdoc/>
    public override OptimizerSection Optimizer { get; init; } = new();

    /// <inheritdoc/>
    public override ScheduleSection Schedule { get; init; } = new();

    /// <summary>WISCA: transitions to an equivalent model with balanced attention weights while it trains.</summary>
    [Setting("WISCA: transitions to an equivalent model with balanced attention weights while it trains.")]
    public override WiscaSection Wisca { get; init; } = new();

    /// <summary>Evaluation on held-out text.</summary>
    [Setting("Evaluation on held-out text.")]
    public override EvaluationSection Evaluation { get; init; } = new();

    /// <summary>Checkpoints, each a model folder together with what resuming needs.</summary>
    [Setting("Checkpoints, each a model folder together with what resuming needs.")]
    public override CheckpointSection Checkpoints { get; init; } = new();

    /// <inheritdoc/>
    public override LoggingSection Logging { get; init; } = new();

    /// <inheritdoc/>
    public override StopSection Ending { get; init; } = new();

    /// <inheritdoc/>
    public override DistributedSection Distributed { get; init; } = new();

    /// <summary>Reads a YAML file; null for the defaults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides">Single settings that win over the file, each <c>section.key=value</c> with the value in YAML.</param>
    /// <exception cref="WiscaException">The file cannot be read, or there are mistakes: <see cref="WiscaException.Details"/> lists them
    /// where there are several.</exception>
    public static TrainingConfig Load(string? path, IReadOnlyList<string>? overrides = null) =>
        SettingsReader.Load<TrainingConfig>(path, overrides);

    /// <inheritdoc/>
    public override TrainingConfig Computed() => (TrainingConfig)base.Computed() with { Data = Data with { Cache = null } };

    /// <inheritdoc/>
    public override IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path) =>
        SettingsWriter.Differences(Load(path).Computed() with { Model = new() }, Computed() with { Model = new() });

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Schedule.WarmupOf(Steps) > Steps)
            given.Contradict(["schedule.warmup", "steps"], $"{Schedule.Warmup} steps, expected at most the {Steps} of the run");
        else if (Schedule.DecaySteps is { } decay && decay > Steps - Schedule.WarmupOf(Steps))
            given.Contradict(
                ["schedule.decay_steps", "schedule.warmup", "steps"],
                $"{decay} steps, expected at most the {Steps - Schedule.WarmupOf(Steps)} after warm-up");
        if (Wisca.At.Any(step => step > Steps))
            given.Contradict(["wisca.at", "steps"], $"step {Wisca.At.Max()}, expected at most the {Steps} of the run");
        CheckTransitions(given, whole: true);
        if (Model.From is null || Tokenizer.Source == TokenizerSource.Auto) return this;
        if (given.Layer("model.from") > given.Layer("tokenizer.source"))
            return this with { Tokenizer = Tokenizer with { Source = TokenizerSource.Auto } };
        given.Contradict(
            ["tokenizer.source", "model.from"],
            "a new tokenizer for a model that is continued, expected auto: its embeddings belong to its own tokenizer");
        return this;
    }
}

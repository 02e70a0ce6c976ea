using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Everything that a training run is made from. A new record is the defaults.</summary>
public sealed record TrainingConfig : RunConfig, ISettingsSection
{
    public override string Output { get; init; } = "runs/train";

    [Setting("Decides initial weights, the order of the data, built-in stories and samples.", Minimum = 0)]
    public override long Seed { get; init; } = 1;

    public override TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

    public override int Threads { get; init; }

    [Setting("What the forward and backward pass compute in. Weights and optimizer state are float32 in any case.")]
    public override TrainingPrecision Precision { get; init; } = TrainingPrecision.Fp32;

    [Setting("Number of sequences that go through the model together.", Minimum = 1)]
    public override int BatchSize { get; init; } = 16;

    [Setting("Number of batches whose gradients make one step, weighted by their real tokens.", Minimum = 1)]
    public override int Accumulation { get; init; } = 1;

    [Setting("Number of optimizer steps.", Minimum = 1)]
    public int Steps { get; init; } = 2000;

    [Setting(
        "Decay of an exponential moving average of the weights, which is then evaluated and stored beside them.", Minimum = 0, Above = true,
        Maximum = 1, Below = true)]
    public override double? Ema { get; init; }

    [Setting("The model to train.")]
    public ModelSection Model { get; init; } = new();

    [Setting("The tokenizer.")]
    public TokenizerSection Tokenizer { get; init; } = new();

    [Setting("The text.")]
    public DataSection Data { get; init; } = new();

    public override OptimizerSection Optimizer { get; init; } = new();

    public override ScheduleSection Schedule { get; init; } = new();

    [Setting("WISCA: transitions to an equivalent model with balanced attention weights while it trains.")]
    public override WiscaSection Wisca { get; init; } = new();

    [Setting("Evaluation on held-out text.")]
    public override EvaluationSection Evaluation { get; init; } = new();

    [Setting("Checkpoints, each a model folder together with what resuming needs.")]
    public override CheckpointSection Checkpoints { get; init; } = new();

    public override LoggingSection Logging { get; init; } = new();

    public override StopSection Ending { get; init; } = new();

    /// <summary>Reads a YAML file; null for the defaults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides">Single settings that win over the file, each <c>section.key=value</c> with the value in YAML.</param>
    /// <exception cref="WiscaException">The file cannot be read, or there are mistakes: <see cref="WiscaException.Details"/> lists them
    /// where there are several.</exception>
    public static TrainingConfig Load(string? path, IReadOnlyList<string>? overrides = null) =>
        SettingsReader.Load<TrainingConfig>(path, overrides);

    /// <inheritdoc/>
    protected override TrainingConfig Computed => (TrainingConfig)base.Computed with { Data = Data with { Cache = null } };

    /// <inheritdoc/>
    public override IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path) =>
        SettingsWriter.Differences(Load(path).Computed with { Model = new() }, Computed with { Model = new() });

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
        if (Model.From is not null && Tokenizer.Source != TokenizerSource.Auto)
            given.Contradict(
                ["tokenizer.source", "model.from"],
                "a new tokenizer for a model that is continued, expected auto: its embeddings belong to its own tokenizer");
        return this;
    }
}

using Wisca.Settings;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Everything that a training run is made from. A new record is the defaults.</summary>
public sealed record TrainingConfig : IRunConfig, ISettingsSection
{
    [Setting(
        "The run folder: checkpoints, metrics and the configuration as it was used go there. Paths are relative to the folder that the "
        + "command is started in.")]
    public string Output { get; init; } = "runs/train";

    [Setting("Decides initial weights, the order of the data, built-in stories and samples.", Minimum = 0)]
    public long Seed { get; init; } = 1;

    [Setting("Where to train.")]
    public TrainingDevice Device { get; init; } = TrainingDevice.Cpu;

    [Setting("Number of threads; 0 for all cores.", Minimum = 0, Maximum = 4096)]
    public int Threads { get; init; }

    [Setting("What the forward and backward pass compute in. Weights and optimizer state are float32 in any case.")]
    public TrainingPrecision Precision { get; init; } = TrainingPrecision.Fp32;

    [Setting("Number of sequences that go through the model together.", Minimum = 1)]
    public int BatchSize { get; init; } = 16;

    [Setting("Number of batches whose gradients make one step, weighted by their real tokens.", Minimum = 1)]
    public int Accumulation { get; init; } = 1;

    [Setting("Number of optimizer steps.", Minimum = 1)]
    public int Steps { get; init; } = 2000;

    [Setting(
        "Decay of an exponential moving average of the weights, which is then evaluated and stored beside them.", Minimum = 0, Above = true,
        Maximum = 1, Below = true)]
    public double? Ema { get; init; }

    [Setting("The model to train.")]
    public ModelSection Model { get; init; } = new();

    [Setting("The tokenizer.")]
    public TokenizerSection Tokenizer { get; init; } = new();

    [Setting("The text.")]
    public DataSection Data { get; init; } = new();

    [Setting("The update rule.")]
    public OptimizerSection Optimizer { get; init; } = new();

    [Setting("The learning rate over time.")]
    public ScheduleSection Schedule { get; init; } = new();

    [Setting("WISCA: transitions to an equivalent model with balanced attention weights while it trains.")]
    public WiscaSection Wisca { get; init; } = new();

    [Setting("Evaluation on held-out text.")]
    public EvaluationSection Evaluation { get; init; } = new();

    [Setting("Checkpoints, each a model folder together with what resuming needs.")]
    public CheckpointSection Checkpoints { get; init; } = new();

    [Setting("What is written about the run.")]
    public LoggingSection Logging { get; init; } = new();

    [Setting("When a run ends before its last step.")]
    public StopSection Stop { get; init; } = new();

    /// <summary>Reads a YAML file; null for the defaults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides">Single settings that win over the file, each <c>section.key=value</c> with the value in YAML.</param>
    /// <exception cref="WiscaException">The file cannot be read, or there are mistakes: <see cref="WiscaException.Details"/> lists them
    /// where there are several.</exception>
    public static TrainingConfig Load(string? path, IReadOnlyList<string>? overrides = null) =>
        SettingsReader.Load<TrainingConfig>(path, overrides);

    /// <summary>The configuration as YAML that reads back as the same configuration.</summary>
    /// <param name="commented">True to put each key's meaning, range and default above it.</param>
    public string ToYaml(bool commented) => SettingsWriter.Write(this, commented);

    /// <inheritdoc/>
    StopSection IRunConfig.Ending => Stop;

    /// <inheritdoc/>
    public string ComputationHash => SettingsWriter.Hash(Computed);

    private TrainingConfig Computed =>
        this with
        {
            Output = "run",
            Threads = 0,
            Data = Data with { Cache = null },
            Logging = new(),
            Checkpoints = new() { Dtype = Checkpoints.Dtype },
        };

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path) =>
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
        if (Wisca.Criterion == Criterion.Fisher && Optimizer.Name != OptimizerKind.AdamW)
            given.Contradict(
                ["wisca.criterion", "optimizer.name"],
                "fisher needs the second moments of the gradients, expected optimizer.name: adamw");
        if (Wisca.TransportEpsilon && Optimizer.Name is OptimizerKind.Sgd or OptimizerKind.Lion)
            given.Contradict(["wisca.transport_epsilon", "optimizer.name"], "true, expected false: this optimizer has no epsilon");
        if (Model.From is not null && Tokenizer.Source != TokenizerSource.Auto)
            given.Contradict(
                ["tokenizer.source", "model.from"],
                "a new tokenizer for a model that is continued, expected auto: its embeddings belong to its own tokenizer");
        return this;
    }
}

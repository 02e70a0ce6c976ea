using System.Text.Json.Serialization;

namespace Wisca.Comparison.Results;

/// <summary>
/// All that is known of a finished run: <c>runs/ID/result.json</c>. It needs nothing beside it:
/// folders of several machines are merged by copying.
/// </summary>
public sealed record RunResult
{
    /// <summary>The version of the format that this code writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>The run's id.</summary>
    public required string Id { get; init; }

    /// <summary>What the study called the run when it was made.</summary>
    public required string Label { get; init; }

    /// <summary>How it ended.</summary>
    public required RunOutcome Outcome { get; init; }

    /// <summary>Why it diverged; null where it did not.</summary>
    public string? Reason { get; init; }

    /// <summary>The whole configuration, as YAML.</summary>
    public required string Configuration { get; init; }

    /// <summary>The seed.</summary>
    public required long Seed { get; init; }

    /// <summary>The learning rate after warm-up.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Number of parameters that train.</summary>
    public required long Parameters { get; init; }

    /// <summary>Digest of the weights that train before anything was done to them.</summary>
    public required string InitialWeights { get; init; }

    /// <summary>Digest of the frozen model that an adapter was trained on; null where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Base { get; init; }

    /// <summary>Number of steps that were done.</summary>
    public required long Steps { get; init; }

    /// <summary>Number of tokens that were trained on.</summary>
    public required long Tokens { get; init; }

    /// <summary>Seconds of training, evaluation and checkpoints aside.</summary>
    public required double Seconds { get; init; }

    /// <summary>Seconds of processors from the first step to the last, transitions and rotations included, evaluations and checkpoints
    /// aside: a busy machine does not stretch them. Null where the run was interrupted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? ProcessorSeconds { get; init; }

    /// <summary>Training loss over time, thinned by averaging.</summary>
    public required IReadOnlyList<LossPoint> TrainingLoss { get; init; }

    /// <summary>Evaluations; the last of a completed run is that of the trained model.</summary>
    public required IReadOnlyList<HeldOutPoint> HeldOut { get; init; }

    /// <summary>Imbalances of every layer over time, whether or not there are transitions; thinned.</summary>
    public required IReadOnlyList<LayerSeries> Imbalances { get; init; }

    /// <summary>Norms of every layer's projections over time, thinned.</summary>
    public required IReadOnlyList<LayerSeries> Norms { get; init; }

    /// <summary>What transitions did.</summary>
    public required IReadOnlyList<AppliedFactors> Transitions { get; init; }

    /// <summary>What rotations did, thinned; null where there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<RotationSeries>? Rotations { get; init; }

    /// <summary>Evaluations of the trained model by name, made after the run; empty until then.</summary>
    public required IReadOnlyDictionary<string, RunScore> Scores { get; init; }

    /// <summary>What computed it.</summary>
    public required RunEnvironment Environment { get; init; }

    /// <summary>The last evaluation of a completed run; null where it diverged.</summary>
    public HeldOutPoint? Final() => Outcome == RunOutcome.Completed ? HeldOut[^1] : null;

    /// <summary>Training tokens per second.</summary>
    public double TokensPerSecond() => Seconds > 0 ? Tokens / Seconds : 0;
}

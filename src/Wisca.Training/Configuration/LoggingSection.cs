using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>What is written about a run.</summary>
public sealed record LoggingSection
{
    /// <summary>Log metrics every so many steps.</summary>
    [Setting("Log metrics every so many steps.", Minimum = 1)]
    public int Every { get; init; } = 10;

    /// <summary>Whether metrics are written to metrics.jsonl.</summary>
    [Setting("Whether metrics are written to metrics.jsonl.")]
    public bool Jsonl { get; init; } = true;

    /// <summary>Whether metrics are written for TensorBoard.</summary>
    [Setting("Whether metrics are written for TensorBoard.")]
    public bool Tensorboard { get; init; } = true;
}

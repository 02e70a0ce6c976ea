using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>What is written about a run.</summary>
public sealed record LoggingSection
{
    [Setting("Log metrics every so many steps.", Minimum = 1)]
    public int Every { get; init; } = 10;

    [Setting("Whether metrics are written to metrics.jsonl.")]
    public bool Jsonl { get; init; } = true;

    [Setting("Whether metrics are written for TensorBoard.")]
    public bool Tensorboard { get; init; } = true;
}

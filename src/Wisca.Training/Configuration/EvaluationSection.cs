using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Evaluation on held-out text.</summary>
public sealed record EvaluationSection
{
    [Setting("Evaluate every so many steps, and at the end in any case; 0 for the end only.", Minimum = 0)]
    public int Every { get; init; } = 200;

    [Setting("Evaluate on at most so many held-out tokens, always the same; none for all.", Minimum = 1)]
    public long? Tokens { get; init; } = 65536;

    [Setting("Whether to evaluate before the first step too.")]
    public bool AtStart { get; init; } = true;

    [Setting("Text that the model writes while it trains.")]
    public SamplesSection Samples { get; init; } = new();
}

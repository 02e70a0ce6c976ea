using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>Evaluation on held-out text.</summary>
public sealed record EvaluationSection
{
    /// <summary>Evaluate every so many steps, and at the end in any case; 0 for the end only.</summary>
    [Setting("Evaluate every so many steps, and at the end in any case; 0 for the end only.", Minimum = 0)]
    public int Every { get; init; } = 200;

    /// <summary>Evaluate on at most so many held-out tokens, always the same; none for all.</summary>
    [Setting("Evaluate on at most so many held-out tokens, always the same; none for all.", Minimum = 1)]
    public long? Tokens { get; init; } = 65536;

    /// <summary>Whether to evaluate before the first step too.</summary>
    [Setting("Whether to evaluate before the first step too.")]
    public bool AtStart { get; init; } = true;

    /// <summary>Text that the model writes while it trains.</summary>
    [Setting("Text that the model writes while it trains.")]
    public SamplesSection Samples { get; init; } = new();
}

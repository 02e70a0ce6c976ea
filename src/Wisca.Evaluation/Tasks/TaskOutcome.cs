using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;

namespace Wisca.Evaluation.Tasks;

/// <summary>How a task went.</summary>
/// <param name="Definition">The task.</param>
/// <param name="Elapsed">The time that it took.</param>
public sealed record TaskOutcome(TaskDefinition Definition, TimeSpan Elapsed)
{
    /// <summary>What was loaded; null where that failed.</summary>
    public LoadedTask? Loaded { get; init; }

    /// <summary>Each document's score; empty where the task failed.</summary>
    public IReadOnlyList<ItemScore> Scores { get; init; } = [];

    /// <summary>The task's metrics; empty where it failed.</summary>
    public IReadOnlyList<MetricValue> Metrics { get; init; } = [];

    /// <summary>How many of its different requests lost the beginning of their context, because the model has too few positions.</summary>
    public long Truncated { get; init; }

    /// <summary>How many of its different requests have a continuation that the tokenizer joined with the context's last token;
    /// the harness stops at those.</summary>
    public long Joined { get; init; }

    /// <summary>Why the task failed; null where it did not.</summary>
    public WiscaException? Failure { get; init; }
}

using Wisca.Settings;

namespace Wisca.Comparison.Studies;

/// <summary>What trained models are evaluated on, beside the held-out text.</summary>
public sealed record ScoreSection : ISettingsSection
{
    /// <summary>
    /// Tasks and groups of wisca eval --tasks, such as blimp. The models at each arm's best learning rate are scored after the last run; it
    /// needs keep_models.
    /// </summary>
    [Setting(
        "Tasks and groups of wisca eval --tasks, such as blimp. The models at each arm's best learning rate are scored after the last "
        + "run; it needs keep_models.")]
    public IReadOnlyList<string> Tasks { get; init; } = [];

    /// <summary>The folder that holds the tasks' data files.</summary>
    [Setting("The folder that holds the tasks' data files.")]
    public string? Data { get; init; }

    /// <summary>A folder with task definitions of your own.</summary>
    [Setting("A folder with task definitions of your own.")]
    public string? Include { get; init; }

    /// <summary>At most so many documents of each task; none for all.</summary>
    [Setting("At most so many documents of each task; none for all.", Minimum = 1)]
    public long? Limit { get; init; }

    /// <summary>Other texts, each a file; the score is bits per byte, in windows that begin anew.</summary>
    [Setting("Other texts, each a file; the score is bits per byte, in windows that begin anew.")]
    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Tasks.Count > 0 && Data is null)
            given.Contradict(["data", "tasks"], "none, expected the folder that holds the tasks' data files");
        return this;
    }
}

using Wisca.Settings;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>A group of tasks that one template describes.</summary>
public sealed record TaskGroupSection
{
    /// <summary>The group's name; none for a task of its own.</summary>
    [Setting("The group's name; none for a task of its own.", Pattern = "[A-Za-z0-9_.-]+", Expected = "letters, digits, _, . and -")]
    public string? Name { get; init; }

    /// <summary>The group's version.</summary>
    [Setting("The group's version.", Minimum = 0)]
    public double Version { get; init; }

    /// <summary>Whether a task counts in the group's mean by its number of documents; else each task counts the same.</summary>
    [Setting("Whether a task counts in the group's mean by its number of documents; else each task counts the same.")]
    public bool WeightBySize { get; init; }

    /// <summary>The members. Each makes a task: {member} stands for it in the task's name and in the names of files.</summary>
    [Setting(
        "The members. Each makes a task: {member} stands for it in the task's name and in the names of files.", Pattern = "[A-Za-z0-9_.-]+",
        Expected = "letters, digits, _, . and -")]
    public IReadOnlyList<string> Members { get; init; } = [];
}

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>A group of tasks with a mean of its own.</summary>
/// <param name="Name">Its name.</param>
/// <param name="About">What it asks.</param>
/// <param name="Version">Its version.</param>
/// <param name="WeightBySize">Whether a task counts by its number of documents; else each counts the same.</param>
/// <param name="Tasks">Its tasks.</param>
public sealed record TaskGroup(string Name, string? About, double Version, bool WeightBySize, IReadOnlyList<TaskDefinition> Tasks);

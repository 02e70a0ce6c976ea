namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>What is to be run.</summary>
/// <param name="Tasks">The tasks, each once; those of the groups among them.</param>
/// <param name="Groups">The groups that a mean is asked of.</param>
public sealed record TaskSelection(IReadOnlyList<TaskDefinition> Tasks, IReadOnlyList<TaskGroup> Groups);

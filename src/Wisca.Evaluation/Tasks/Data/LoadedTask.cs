using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>A task whose documents were read and turned into requests.</summary>
/// <param name="Definition">The task.</param>
/// <param name="Data">The container that its data came in.</param>
/// <param name="Files">The data files that were read.</param>
/// <param name="Documents">The number of documents of the split that is evaluated.</param>
/// <param name="Fewshot">The number of few-shot examples before each question.</param>
/// <param name="Items">The documents that are evaluated: all, or the first so many.</param>
public sealed record LoadedTask(
    TaskDefinition Definition, TaskDataSection Data, IReadOnlyList<string> Files, int Documents, int Fewshot,
    IReadOnlyList<TaskItem> Items);

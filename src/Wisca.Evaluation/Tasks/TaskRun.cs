using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks;

/// <summary>What a run of tasks gave.</summary>
/// <param name="Tasks">Each task, in the order that it was asked for.</param>
/// <param name="Groups">Each group.</param>
/// <param name="Options">How they were run.</param>
public sealed record TaskRun(IReadOnlyList<TaskOutcome> Tasks, IReadOnlyList<GroupOutcome> Groups, TaskOptions Options)
{
    /// <summary>The tasks that failed.</summary>
    public IEnumerable<TaskOutcome> Failed => Tasks.Where(task => task.Failure is not null);
}

using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks;

/// <summary>Is told how a run of tasks goes.</summary>
public interface ITaskObserver
{
    /// <summary>A task's requests are about to be scored.</summary>
    /// <param name="task">The task.</param>
    /// <param name="requests">Their number.</param>
    void Started(LoadedTask task, int requests);

    /// <summary>So many of the requests are done.</summary>
    /// <param name="task">The task.</param>
    /// <param name="done">How many.</param>
    void Progressed(LoadedTask task, int done);

    /// <summary>A task has ended, well or not.</summary>
    /// <param name="outcome">How it went.</param>
    void Ended(TaskOutcome outcome);
}

using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Running;

/// <summary>Told how a study goes on, on the thread that runs it.</summary>
public interface IStudyObserver
{
    /// <summary>A run began, or goes on.</summary>
    void Started(PlannedRun run);

    /// <summary>A run has a result.</summary>
    void Finished(PlannedRun run, RunResult result, TimeSpan elapsed);

    /// <summary>A run ended without a result.</summary>
    void Failed(RunFailure failure);

    /// <summary>Where the whole study stands.</summary>
    void Progressed(StudyProgress progress);

    /// <summary>Something that the user should know.</summary>
    void Notice(string message);
}

namespace Wisca.Training;

/// <summary>How a run ended.</summary>
/// <param name="Step">Number of steps that are done.</param>
/// <param name="Interrupted">True where it was stopped before its last step; it can be resumed.</param>
/// <param name="Checkpoint">The last checkpoint.</param>
/// <param name="Final">The last evaluation; null where the run was interrupted before one.</param>
/// <param name="TokensSeen">Number of tokens trained on.</param>
/// <param name="Training">Time spent on steps, over all parts of a resumed run.</param>
public sealed record TrainingResult(
    long Step, bool Interrupted, string Checkpoint, EvaluationReport? Final, long TokensSeen, TimeSpan Training);

namespace Wisca.Comparison.Running;

/// <summary>How a study is run.</summary>
/// <param name="Program">How workers are started.</param>
public sealed record RunnerOptions(WorkerProgram Program)
{
    /// <summary>Number of workers; 0 for what the study says.</summary>
    public int Workers { get; init; }

    /// <summary>Which part of the study this machine makes, counted from 1, of how many.
    /// All arms of a seed, model and learning rate are in one part.</summary>
    public (int Part, int Parts) Shard { get; init; } = (1, 1);
}

namespace Wisca.Training.Configuration;

/// <summary>What every training run is described by, whatever is trained and on what.</summary>
public interface IRunConfig
{
    /// <summary>The run folder.</summary>
    string Output { get; }

    /// <summary>What is random follows from it.</summary>
    long Seed { get; }

    /// <summary>Number of threads; 0 for all cores.</summary>
    int Threads { get; }

    /// <summary>Number of sequences that go through the model together.</summary>
    int BatchSize { get; }

    /// <summary>Number of batches whose gradients make one step.</summary>
    int Accumulation { get; }

    /// <summary>Decay of an average of the weights; null for none.</summary>
    double? Ema { get; }

    /// <summary>The update rule.</summary>
    OptimizerSection Optimizer { get; }

    /// <summary>The learning rate over time.</summary>
    ScheduleSection Schedule { get; }

    /// <summary>Transitions.</summary>
    WiscaSection Wisca { get; }

    /// <summary>Evaluation on held-out data.</summary>
    EvaluationSection Evaluation { get; }

    /// <summary>Checkpoints.</summary>
    CheckpointSection Checkpoints { get; }

    /// <summary>What is written about the run.</summary>
    LoggingSection Logging { get; }

    /// <summary>When it ends before its last step.</summary>
    StopSection Ending { get; }

    /// <summary>The configuration as YAML that reads back as the same configuration.</summary>
    /// <param name="commented">True to put each key's meaning, range and default above it.</param>
    string ToYaml(bool commented);

    /// <summary>A hash of what the run computes: not of where it is written, nor of how it is reported.</summary>
    string ComputationHash { get; }

    /// <summary>The settings of what is computed in which a configuration differs from this one, but for the model:
    /// a resumed run has that of its checkpoint.</summary>
    /// <param name="path">The other's file.</param>
    /// <exception cref="WiscaException">The file cannot be read.</exception>
    IReadOnlyList<(string Key, string Before, string After)> ChangesSince(string path);
}

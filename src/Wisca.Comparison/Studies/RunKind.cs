using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>What the runs of a study are: how their settings are read and laid over each other,
/// what a run is known by, and how it is checked and made.</summary>
internal abstract class RunKind
{
    private const int Digits = 16;

    /// <summary>The kind of runs that a command makes. It remembers what it has read: ask one about all runs of a study.</summary>
    public static RunKind Of(RunCommand command) => command switch
    {
        RunCommand.Train => new TrainingRuns(),
        RunCommand.Finetune => new FinetuningRuns(),
        _ => throw new ArgumentOutOfRangeException(nameof(command), command, null),
    };

    /// <summary>
    /// The hash that a run is known by: of all that it computes, and not of where it is written, how it is reported, or how many threads it
    /// has. Machines with other folders agree.
    /// </summary>
    public string Id(IRunConfig config) => SettingsWriter.Hash(Identity(config))[..Digits];

    /// <summary>Reads a configuration file; null for the command's defaults.</summary>
    public abstract IRunConfig Load(string? path);

    /// <summary>Reads a configuration that was written.</summary>
    /// <param name="yaml">The configuration.</param>
    /// <param name="name">What messages call it.</param>
    public abstract IRunConfig Read(string yaml, string name);

    /// <summary>Lays settings over a configuration; faults go to the binder.</summary>
    public abstract IRunConfig Lay(SettingsBinder binder, MappingNode? settings, string name, IRunConfig start);

    /// <summary>A configuration as a study needs it: with test data, and without samples, which nobody reads.</summary>
    public abstract IRunConfig Studied(IRunConfig config);

    /// <summary>A configuration at a seed and a learning rate.</summary>
    public abstract IRunConfig At(IRunConfig config, long seed, double learningRate);

    /// <summary>A configuration in the hands of a worker.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="output">The run's folder.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="texts">Where the runs of the study share tokenised text.</param>
    public abstract IRunConfig Placed(IRunConfig config, string output, int threads, string texts);

    /// <summary>What a result tells of a configuration: not where it was placed.</summary>
    public abstract IRunConfig Recorded(IRunConfig config);

    /// <summary>Checks a run as far as that is possible without training.</summary>
    /// <exception cref="WiscaException">It would not begin.</exception>
    public abstract TrainingCheck Check(IRunConfig config);

    /// <summary>Prepares a run, or goes on where it was.</summary>
    public abstract Trainer Prepare(IRunConfig config, ITrainingObserver observer, CancellationToken stop);

    /// <summary>What the folder of what was trained is called beside a result.</summary>
    public abstract string Product(IRunConfig config);

    /// <summary>The settings in which a configuration differs from another.</summary>
    public abstract IReadOnlyList<(string Key, string Before, string After)> Differences(IRunConfig before, IRunConfig after);

    /// <summary>A configuration in which what computes nothing is as by default,
    /// and what lies outside of it is replaced by what it is known by.</summary>
    protected abstract IRunConfig Identity(IRunConfig config);
}

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
    /// has. Machines with other folders agree, and so do versions with other settings.
    /// </summary>
    public string Id(RunConfig config) => SettingsWriter.Hash(Identity(Computed(config)))[..Digits];

    /// <summary>
    /// What a result's configuration says that a run's does not; null where they agree. An id tells what was set: what follows from a
    /// default that is another one today is seen here.
    /// </summary>
    /// <param name="run">The configuration of the run.</param>
    /// <param name="recorded">The configuration of the result, as it was written.</param>
    public string? Difference(RunConfig run, string recorded)
    {
        RunConfig made;
        try
        {
            made = Read(recorded, "configuration");
        }
        catch (WiscaException exception)
        {
            return exception.Details is [var detail, ..] ? detail : exception.Message;
        }

        return SettingsWriter.Differences(Anywhere(run), Anywhere(made)) is [var (key, expected, found), ..]
            ? $"{key} is {found}, but the run of this id has {expected}"
            : null;
    }

    /// <summary>Reads a configuration file; null for the command's defaults.</summary>
    public abstract RunConfig Load(string? path);

    /// <summary>Reads a configuration that was written.</summary>
    /// <param name="yaml">The configuration.</param>
    /// <param name="name">What messages call it.</param>
    public abstract RunConfig Read(string yaml, string name);

    /// <summary>Number of steps that a completed run has made; null where its data decide that.</summary>
    public abstract long? StepsOf(RunConfig config);

    /// <summary>A run whose steps cost more, in the time of one whose steps cost 1; null where its steps follow from data.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="cost">What a step costs.</param>
    public abstract RunConfig? Shortened(RunConfig config, double cost);

    /// <summary>The steps that fit into the time of others.</summary>
    protected static int Fewer(int steps, double cost) => Math.Max(1, (int)Math.Round(steps / cost));

    /// <summary>Lays settings over a configuration; faults go to the binder.</summary>
    public static RunConfig Lay(SettingsBinder binder, MappingNode? settings, string name, RunConfig start) =>
        (RunConfig)binder.Bind(start.GetType(), settings, name, start);

    /// <summary>A configuration at a seed and a learning rate.</summary>
    public static RunConfig At(RunConfig config, long seed, double learningRate) =>
        config with
        {
            Seed = seed,
            Optimizer = config.Optimizer with { LearningRate = learningRate },
        };

    /// <summary>A configuration as a study needs it: with test data, and without samples, which nobody reads.</summary>
    public virtual RunConfig Studied(RunConfig config) =>
        config with { Evaluation = config.Evaluation with { Samples = config.Evaluation.Samples with { Every = 0 } } };

    /// <summary>A configuration in the hands of a worker: it goes on by itself, so that the last checkpoint is enough,
    /// and writes the log that a result is made from.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="output">The run's folder.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="texts">Where the runs of the study share tokenised text.</param>
    public virtual RunConfig Placed(RunConfig config, string output, int threads, string texts) =>
        config with
        {
            Output = output,
            Threads = threads,
            Checkpoints = config.Checkpoints with { Keep = 1, Best = false },
            Logging = config.Logging with { Jsonl = true, Tensorboard = false },
        };

    /// <summary>What a result tells of a configuration: not where it was placed.</summary>
    public virtual RunConfig Recorded(RunConfig config) => config with { Output = "run" };

    /// <summary>Checks a run as far as that is possible without training.</summary>
    /// <exception cref="WiscaException">It would not begin.</exception>
    public abstract TrainingCheck Check(RunConfig config);

    /// <summary>Prepares a run, or goes on where it was.</summary>
    public abstract Trainer Prepare(RunConfig config, ITrainingObserver observer, CancellationToken stop);

    /// <summary>What the folder of what was trained is called beside a result.</summary>
    public abstract string Product(RunConfig config);

    /// <summary>A configuration in which what lies outside of it is replaced by what it is known by.</summary>
    /// <param name="config">What computes nothing is as by default in it.</param>
    protected abstract RunConfig Identity(RunConfig config);

    /// <summary>A configuration without what lies outside of it, which is elsewhere on another machine.</summary>
    /// <param name="config">What computes nothing is as by default in it.</param>
    protected abstract RunConfig Inside(RunConfig config);

    private RunConfig Anywhere(RunConfig config) => Inside(Computed(config));

    /// <summary>A configuration in which what computes nothing is as by default.</summary>
    private static RunConfig Computed(RunConfig config) =>
        config.Computed() with
        {
            Evaluation = config.Evaluation with { Samples = new() },
            Ending = config.Ending with { Minutes = null },
        };
}

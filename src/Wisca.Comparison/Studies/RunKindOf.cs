using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>A kind of runs with configurations of one type.</summary>
/// <typeparam name="TConfig">The type.</typeparam>
internal abstract class RunKindOf<TConfig> : RunKind
    where TConfig : class, IRunConfig, new()
{
    public sealed override IRunConfig Load(string? path) => SettingsReader.Load<TConfig>(path);

    public sealed override IRunConfig Read(string yaml, string name) => SettingsReader.Read<TConfig>(yaml, name);

    public sealed override IRunConfig Lay(SettingsBinder binder, MappingNode? settings, string name, IRunConfig start) =>
        (TConfig)binder.Bind(typeof(TConfig), settings, name, start);

    public sealed override IRunConfig Studied(IRunConfig config) => Studied((TConfig)config);

    public sealed override IRunConfig At(IRunConfig config, long seed, double learningRate) => At((TConfig)config, seed, learningRate);

    public sealed override IRunConfig Placed(IRunConfig config, string output, int threads, string texts) =>
        Placed((TConfig)config, output, threads, texts);

    public sealed override IRunConfig Recorded(IRunConfig config) => Recorded((TConfig)config);

    public sealed override TrainingCheck Check(IRunConfig config) => Check((TConfig)config);

    public sealed override Trainer Prepare(IRunConfig config, ITrainingObserver observer, CancellationToken stop) =>
        Prepare((TConfig)config, observer, stop);

    public sealed override string Product(IRunConfig config) => Product((TConfig)config);

    public sealed override IReadOnlyList<(string Key, string Before, string After)> Differences(IRunConfig before, IRunConfig after) =>
        SettingsWriter.Differences((TConfig)before, (TConfig)after);

    protected sealed override IRunConfig Identity(IRunConfig config) => Identity((TConfig)config);

    protected abstract TConfig Studied(TConfig config);

    protected abstract TConfig At(TConfig config, long seed, double learningRate);

    protected abstract TConfig Placed(TConfig config, string output, int threads, string texts);

    protected abstract TConfig Recorded(TConfig config);

    protected abstract TrainingCheck Check(TConfig config);

    protected abstract Trainer Prepare(TConfig config, ITrainingObserver observer, CancellationToken stop);

    protected abstract string Product(TConfig config);

    protected abstract TConfig Identity(TConfig config);

    /// <summary>Checkpoints of a run that goes on by itself: the last is enough.</summary>
    protected static CheckpointSection Checkpoints(CheckpointSection section) => section with { Keep = 1, Best = false };

    /// <summary>The log that a result is made from.</summary>
    protected static LoggingSection Logging(LoggingSection section) => section with { Jsonl = true, Tensorboard = false };
}

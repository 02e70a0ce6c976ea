using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Data.Corpora;
using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>Runs of <c>wisca train</c>. Text is known by the names and lengths of its files.</summary>
internal sealed class TrainingRuns : RunKindOf<TrainingConfig>
{
    private readonly Dictionary<string, IReadOnlyList<string>> _texts = new(StringComparer.Ordinal);

    /// <summary>Half of the held-out documents are test text where nothing is said.</summary>
    protected override TrainingConfig Studied(TrainingConfig config) => config with
    {
        Data = config.Data.Test.Count == 0 && config.Data.TestShare is null ? config.Data with { TestShare = 0.5 } : config.Data,
        Evaluation = config.Evaluation with { Samples = config.Evaluation.Samples with { Every = 0 } },
    };

    protected override TrainingConfig At(TrainingConfig config, long seed, double learningRate) =>
        config with
        {
            Seed = seed,
            Optimizer = config.Optimizer with { LearningRate = learningRate },
        };

    protected override TrainingConfig Placed(TrainingConfig config, string output, int threads, string texts) => config with
    {
        Output = output,
        Threads = threads,
        Data = config.Data with { Cache = config.Data.Cache ?? texts },
        Checkpoints = Checkpoints(config.Checkpoints),
        Logging = Logging(config.Logging),
    };

    protected override TrainingConfig Recorded(TrainingConfig config) =>
        config with
        {
            Output = "run",
            Data = config.Data with { Cache = null },
        };

    protected override TrainingCheck Check(TrainingConfig config) => TrainingCheck.Of(config);

    protected override Trainer Prepare(TrainingConfig config, ITrainingObserver observer, CancellationToken stop) =>
        Trainer.Prepare(config, ResumeMode.Auto, observer, stop);

    protected override string Product(TrainingConfig config) => "model";

    protected override TrainingConfig Identity(TrainingConfig config)
    {
        var data = config.Data;
        return config with
        {
            Output = "run",
            Threads = 0,
            Model = config.Model with
            {
                Config = config.Model.Config is { File: { } file }
                    ? new FileOrMapping(JsonObject.Create(ModelConfig.Load(file).Root)!)
                    : config.Model.Config,
            },
            Data = data with
            {
                Cache = null,
                Train = Texts(data, data.Train),
                Validation = Texts(data, data.Validation),
                Test = Texts(data, data.Test),
            },
            Evaluation = config.Evaluation with { Samples = new() },
            Logging = new(),
            Checkpoints = new() { Dtype = config.Checkpoints.Dtype },
            Stop = config.Stop with { Minutes = null },
        };
    }

    private IReadOnlyList<string> Texts(DataSection data, IReadOnlyList<string> sources)
    {
        if (sources.Count == 0 || sources.Contains("stories")) return sources;
        string key = string.Join('\n', [data.Field, data.Separator, .. sources]);
        if (_texts.TryGetValue(key, out var known)) return known;
        return _texts[key] = [
            .. CorpusReader
                .Open(sources, new CorpusReaderOptions { Field = data.Field, Separator = data.Separator })
                .Files.Select(file => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file.FullPath)} {file.Length}")),
        ];
    }
}

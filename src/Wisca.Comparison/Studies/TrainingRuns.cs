using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Data.Corpora;
using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;

namespace Wisca.Comparison.Studies;

/// <summary>Runs of <c>wisca train</c>. Text is known by the names and lengths of its files.</summary>
internal sealed class TrainingRuns : RunKind
{
    private readonly Dictionary<string, IReadOnlyList<string>> _texts = new(StringComparer.Ordinal);

    public override RunConfig Load(string? path) => SettingsReader.Load<TrainingConfig>(path);

    public override RunConfig Read(string yaml, string name) => SettingsReader.Read<TrainingConfig>(yaml, name);

    /// <summary>Half of the held-out documents are test text where nothing is said.</summary>
    public override RunConfig Studied(RunConfig config)
    {
        var studied = (TrainingConfig)base.Studied(config);
        return studied.Data is { Test.Count: 0, TestShare: null } ? studied with { Data = studied.Data with { TestShare = 0.5 } } : studied;
    }

    public override RunConfig Placed(RunConfig config, string output, int threads, string texts)
    {
        var placed = (TrainingConfig)base.Placed(config, output, threads, texts);
        return placed with { Data = placed.Data with { Cache = placed.Data.Cache ?? texts } };
    }

    public override RunConfig Recorded(RunConfig config)
    {
        var recorded = (TrainingConfig)base.Recorded(config);
        return recorded with { Data = recorded.Data with { Cache = null } };
    }

    public override long? StepsOf(RunConfig config) => ((TrainingConfig)config).Steps;

    public override RunConfig? Shortened(RunConfig config, double cost) =>
        (TrainingConfig)config with { Steps = Fewer(((TrainingConfig)config).Steps, cost) };

    public override TrainingCheck Check(RunConfig config) => TrainingCheck.Of((TrainingConfig)config);

    public override Trainer Prepare(RunConfig config, ITrainingObserver observer, CancellationToken stop) =>
        Trainer.Prepare((TrainingConfig)config, ResumeMode.Auto, observer, stop);

    public override string Product(RunConfig config) => "model";

    protected override RunConfig Identity(RunConfig config)
    {
        var identity = (TrainingConfig)config;
        var data = identity.Data;
        return identity with
        {
            Model = identity.Model with
            {
                Config = identity.Model.Config is { File: { } file }
                    ? new FileOrMapping(JsonObject.Create(ModelConfig.Load(file).Root)!)
                    : identity.Model.Config,
            },
            Data = data with
            {
                Train = Texts(data, data.Train),
                Validation = Texts(data, data.Validation),
                Test = Texts(data, data.Test),
            },
        };
    }

    protected override RunConfig Inside(RunConfig config)
    {
        var inside = (TrainingConfig)config;
        return inside with
        {
            Model = inside.Model with { Config = null, From = null },
            Tokenizer = inside.Tokenizer with { Path = null },
            Data = inside.Data with { Train = [], Validation = [], Test = [] },
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

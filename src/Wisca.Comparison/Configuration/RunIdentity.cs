using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Corpora;
using Wisca.Training;

namespace Wisca.Comparison;

/// <summary>
/// The hash that a run is known by: of all that it computes, and not of where it is written, how it is reported, or how many threads it has. Text
/// is known by the names and lengths of its files, so that machines with other folders agree.
/// </summary>
internal sealed class RunIdentity
{
    private const int Digits = 16;
    private readonly Dictionary<string, IReadOnlyList<string>> _texts = new(StringComparer.Ordinal);

    public string Of(TrainingConfig config)
    {
        var data = config.Data;
        return SettingsWriter.Hash(config with
        {
            Output = "run",
            Threads = 0,
            Model = config.Model with { Config = config.Model.Config is { File: { } file } ? new FileOrMapping(JsonObject.Create(ModelConfig.Load(file).Root)!) : config.Model.Config },
            Data = data with { Cache = null, Train = Texts(data, data.Train), Validation = Texts(data, data.Validation), Test = Texts(data, data.Test) },
            Evaluation = config.Evaluation with { Samples = new() },
            Logging = new(),
            Checkpoints = new() { Dtype = config.Checkpoints.Dtype },
            Stop = config.Stop with { Minutes = null },
        })[..Digits];
    }

    private IReadOnlyList<string> Texts(DataSection data, IReadOnlyList<string> sources)
    {
        if (sources.Count == 0 || sources.Contains("stories")) return sources;
        string key = string.Join('\n', [data.Field, data.Separator, .. sources]);
        if (_texts.TryGetValue(key, out var known)) return known;
        return _texts[key] = [.. CorpusReader.Open(sources, new CorpusReaderOptions { Field = data.Field, Separator = data.Separator }).Files
            .Select(file => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file.FullPath)} {file.Length}"))];
    }
}

using System.IO.Hashing;
using Wisca.Checkpoints;
using Wisca.Comparison.Results;
using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Settings;
using Wisca.Training;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;

namespace Wisca.Comparison.Studies;

/// <summary>Runs of <c>wisca finetune</c>. Base, tokenizer and examples are known by what they hold.</summary>
internal sealed class FinetuningRuns : RunKind
{
    private readonly FinetuneCheck _check = new();
    private readonly Dictionary<(string What, string Path), string> _digests = [];

    public override RunConfig Load(string? path) => SettingsReader.Load<FinetuneConfig>(path);

    public override RunConfig Read(string yaml, string name) => SettingsReader.Read<FinetuneConfig>(yaml, name);

    /// <summary>
    /// Half of the held-out examples are test examples where nothing is said. There is an evaluation before the first step in any case:
    /// arms begin with other factors or another base, and it tells that they are the same function.
    /// </summary>
    public override RunConfig Studied(RunConfig config)
    {
        var studied = (FinetuneConfig)base.Studied(config);
        return studied with
        {
            Data = studied.Data is { Test.Count: 0, TestShare: null } ? studied.Data with { TestShare = 0.5 } : studied.Data,
            Evaluation = studied.Evaluation with { AtStart = true },
        };
    }

    public override long? StepsOf(RunConfig config) => ((FinetuneConfig)config).Steps;

    public override RunConfig? Shortened(RunConfig config, double cost) =>
        config is FinetuneConfig { Steps: { } steps } finetune ? finetune with { Steps = Fewer(steps, cost) } : null;

    public override TrainingCheck Check(RunConfig config) => _check.Of((FinetuneConfig)config);

    public override Trainer Prepare(RunConfig config, ITrainingObserver observer, CancellationToken stop) =>
        Finetuner.Prepare((FinetuneConfig)config, ResumeMode.Auto, observer, stop);

    public override string Product(RunConfig config) =>
        ((FinetuneConfig)config).Adapter.Type == AdapterKind.Lora ? "adapter" : "model";

    protected override RunConfig Identity(RunConfig config)
    {
        var identity = (FinetuneConfig)config;
        var (known, data) = (identity.Base, identity.Data);
        return identity with
        {
            Base = known with
            {
                Model = known.Model is { } model ? Known("model", model, DigestOf) : null,
                Tokenizer = (known.Tokenizer ?? known.Model) is { } tokenizer
                    ? Known("tokenizer", tokenizer, path => TokenizerHash.Of(TokenizerLoader.Load(path)))
                    : null,
            },
            Data = data with { Train = Contents(data.Train), Validation = Contents(data.Validation), Test = Contents(data.Test) },
        };
    }

    protected override RunConfig Inside(RunConfig config)
    {
        var inside = (FinetuneConfig)config;
        return inside with
        {
            Base = inside.Base with { Model = null, Tokenizer = null },
            Data = inside.Data with { Train = [], Validation = [], Test = [] },
        };
    }

    private static string DigestOf(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        return ModelDigest.Of(checkpoint);
    }

    private IReadOnlyList<string> Contents(IReadOnlyList<string> sources) =>
        sources.Count == 0 ? sources : [.. CorpusReader.Open(sources).Files.Select(file => Known("examples", file.Path, ContentOf))];

    private static string ContentOf(string path) => ContentDigest.Of(path, stream =>
    {
        var hash = new XxHash128();
        hash.Append(stream);
        return hash.GetCurrentHash();
    });

    private string Known(string what, string path, Func<string, string> digest) =>
        _digests.TryGetValue((what, path), out string? known) ? known : _digests[(what, path)] = digest(path);
}

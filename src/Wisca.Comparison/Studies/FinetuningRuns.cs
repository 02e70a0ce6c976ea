using System.IO.Hashing;
using Wisca.Checkpoints;
using Wisca.Comparison.Results;
using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Training;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;

namespace Wisca.Comparison.Studies;

/// <summary>Runs of <c>wisca finetune</c>. Base, tokenizer and examples are known by what they hold.</summary>
internal sealed class FinetuningRuns : RunKindOf<FinetuneConfig>
{
    private readonly FinetuneCheck _check = new();
    private readonly Dictionary<(string What, string Path), string> _digests = [];

    /// <summary>
    /// Half of the held-out examples are test examples where nothing is said. There is an evaluation before the first step in any case:
    /// arms begin with other factors or another base, and it tells that they are the same function.
    /// </summary>
    protected override FinetuneConfig Studied(FinetuneConfig config) => config with
    {
        Data = config.Data.Test.Count == 0 && config.Data.TestShare is null ? config.Data with { TestShare = 0.5 } : config.Data,
        Evaluation = config.Evaluation with { AtStart = true, Samples = config.Evaluation.Samples with { Every = 0 } },
    };

    protected override FinetuneConfig At(FinetuneConfig config, long seed, double learningRate) =>
        config with
        {
            Seed = seed,
            Optimizer = config.Optimizer with { LearningRate = learningRate },
        };

    protected override FinetuneConfig Placed(FinetuneConfig config, string output, int threads, string texts) =>
        config with
        {
            Output = output,
            Threads = threads,
            Checkpoints = Checkpoints(config.Checkpoints),
            Logging = Logging(config.Logging),
        };

    protected override FinetuneConfig Recorded(FinetuneConfig config) => config with { Output = "run" };

    protected override TrainingCheck Check(FinetuneConfig config) => _check.Of(config);

    protected override Trainer Prepare(FinetuneConfig config, ITrainingObserver observer, CancellationToken stop) =>
        Finetuner.Prepare(config, ResumeMode.Auto, observer, stop);

    protected override string Product(FinetuneConfig config) => config.Adapter.Type == AdapterKind.Lora ? "adapter" : "model";

    protected override FinetuneConfig Identity(FinetuneConfig config)
    {
        var data = config.Data;
        return config with
        {
            Output = "run",
            Threads = 0,
            Base = config.Base with
            {
                Model = config.Base.Model is { } model ? Known("model", model, DigestOf) : null,
                Tokenizer = (config.Base.Tokenizer ?? config.Base.Model) is { } tokenizer
                    ? Known("tokenizer", tokenizer, path => TokenizerHash.Of(TokenizerLoader.Load(path)))
                    : null,
            },
            Data = data with { Train = Contents(data.Train), Validation = Contents(data.Validation), Test = Contents(data.Test) },
            Evaluation = config.Evaluation with { Samples = new() },
            Logging = new(),
            Checkpoints = new() { Dtype = config.Checkpoints.Dtype },
            Stop = config.Stop with { Minutes = null },
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

using Wisca.Data.Corpora;
using Wisca.Data.Corpora.Stories;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Data.Tokenizers.Training;
using Wisca.Training.Batches;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Training;

/// <summary>The tokenizer and the tokenised text of a run.</summary>
internal sealed class TrainingText : TrainingData
{
    // Stories of the held-out text, where it has sources of its own, are others than those of the training text.
    private const string BuiltIn = "stories";
    private const ulong TrainingPart = 0, ValidationText = 1UL << 63, TestText = 3UL << 62;

    private readonly IReadOnlyList<TokenFile> _files;

    /// <param name="config">The run.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="files">Training text, held-out text, and test text where it has sources of its own; closed with this.</param>
    private TrainingText(TrainingConfig config, Tokenizer tokenizer, IReadOnlyList<TokenFile> files)
        : base(tokenizer)
    {
        _files = files;
        var (heldOut, test) = config.Data.TestShare is { } share ? HeldOutTokens.Split(files[1], share)
            : (new HeldOutTokens("held-out", files[1]), files.Count == 2 ? null : new HeldOutTokens("test", files[2]));
        Batches = new WindowBatches(files[0], config.Data.SequenceLength, config.Seed);
        HeldOut = Evaluator(heldOut);
        Test = test is null ? null : Evaluator(test);

        HeldOutEvaluator Evaluator(HeldOutTokens text) => new(text, config.Data.SequenceLength, config.BatchSize, config.Evaluation.Tokens);
    }

    public override IBatchSource Batches { get; }

    /// <summary>On the validation text.</summary>
    public override IHeldOutEvaluator HeldOut { get; }

    /// <summary>On the test text; null where there is none.</summary>
    public override IHeldOutEvaluator? Test { get; }

    /// <summary>Reads or trains the tokenizer, and tokenises what was not tokenised before.</summary>
    /// <param name="config">The run.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="checkpoint">The checkpoint that is resumed, whose tokenizer holds; null for a new run.</param>
    /// <param name="observer">Told what takes long.</param>
    /// <param name="cancellation">Stops it.</param>
    public static TrainingText Prepare(
        TrainingConfig config, RunFolder folder, string? checkpoint, ITrainingObserver observer, CancellationToken cancellation)
    {
        var tokenizer = FindTokenizer(config, folder, checkpoint, observer, cancellation);
        string cache = config.Data.Cache ?? folder.CacheFolder;
        double share = config.Data.HeldOutShare;
        var options = new CorpusTokenizerOptions
        {
            HeldOutFraction = share,
            Seed = config.Seed,
            Threads = config.Threads == 0 ? Environment.ProcessorCount : config.Threads,
        };
        var training = Tokenize(config, config.Data.Train, TrainingPart, tokenizer, cache, options, cancellation);
        var heldOut =
            share > 0
                ? training.HeldOut!
                : Tokenize(
                    config,
                    config.Data.Validation,
                    ValidationText,
                    tokenizer,
                    cache,
                    options with
                    {
                        HeldOutFraction = 0,
                    },
                    cancellation
                ).Training;
        if (!training.Reused)
            observer.Notice(
                $"tokenised {training.Training.Documents} documents: {training.Training.Tokens} tokens; "
                + $"held out: {heldOut.Documents} documents, {heldOut.Tokens} tokens");
        string? test =
            config.Data.Test.Count == 0
                ? null
                : Tokenize(
                    config,
                    config.Data.Test,
                    TestText,
                    tokenizer,
                    cache,
                    options with
                    {
                        HeldOutFraction = 0,
                    },
                    cancellation
                ).Training.Path;
        var files = new List<TokenFile>();
        try
        {
            foreach (string? path in (string?[])[training.Training.Path, heldOut.Path, test])
            {
                if (path is not null) files.Add(TokenFile.Open(path));
            }

            return new TrainingText(config, tokenizer, files);
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    public override void Dispose()
    {
        foreach (var file in _files) file.Dispose();
        base.Dispose();
    }

    private static Tokenizer FindTokenizer(
        TrainingConfig config, RunFolder folder, string? checkpoint, ITrainingObserver observer, CancellationToken cancellation)
    {
        if ((checkpoint ?? config.Tokenizer.Path ?? config.Model.From) is { } path) return TokenizerLoader.Load(path);
        string place = Path.Combine(folder.FullPath, "tokenizer");
        if (!folder.IsWritten) return TokenizerLoader.Load(place);
        if (config.Tokenizer.Source == TokenizerSource.Bytes) return ByteTokenizer.Create().Save(place);
        observer.Notice($"training a tokenizer of {config.Tokenizer.Vocabulary} tokens");
        var trained = BytePairTrainer.Train(
            Documents(config, config.Data.Train, TrainingPart, cancellation),
            new BytePairTrainingOptions { VocabularySize = config.Tokenizer.Vocabulary }, cancellation);
        if (trained.VocabularySize < config.Tokenizer.Vocabulary)
            observer.Notice(
                $"the text gives a tokenizer of {trained.VocabularySize} tokens only, fewer than tokenizer.vocabulary, "
                + $"{config.Tokenizer.Vocabulary}");
        return trained.Save(place);
    }

    private static TokenizedCorpus Tokenize(
        TrainingConfig config,
        IReadOnlyList<string> sources,
        ulong part,
        Tokenizer tokenizer,
        string cache,
        CorpusTokenizerOptions options,
        CancellationToken cancellation
    ) =>
        IsBuiltIn(sources)
            ? TokenCache.GetOrCreate(
                Documents(config, sources, part, cancellation),
                FormattableString.Invariant(
                    $"stories of grammar {StoryGenerator.GrammarVersion}, seed {StorySeed(config, part)}, {config.Data.Stories} of them"),
                tokenizer,
                cache,
                options,
                cancellation: cancellation)
            : TokenCache.GetOrCreate(Open(config, sources), tokenizer, cache, options, cancellation: cancellation);

    private static IEnumerable<string> Documents(
        TrainingConfig config, IReadOnlyList<string> sources, ulong part, CancellationToken cancellation) =>
        IsBuiltIn(sources)
            ? new StoryGenerator(StorySeed(config, part)).Stories().Take(config.Data.Stories)
            : Open(config, sources).Documents(cancellation: cancellation);

    private static ulong StorySeed(TrainingConfig config, ulong part) => (ulong)config.Seed + part;

    private static CorpusReader Open(TrainingConfig config, IReadOnlyList<string> sources) =>
        CorpusReader.Open(sources, new CorpusReaderOptions { Field = config.Data.Field, Separator = config.Data.Separator });

    private static bool IsBuiltIn(IReadOnlyList<string> sources)
    {
        if (!sources.Contains(BuiltIn)) return false;
        return sources.Count == 1
            ? true
            : throw new WiscaException(
                $"the built-in {BuiltIn} cannot be mixed with other text ({string.Join(", ", sources)})",
                "name either; a file called stories is ./stories");
    }
}

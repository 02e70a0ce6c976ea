using Wisca.Corpora;
using Wisca.Tokenizers;

namespace Wisca.Training;

/// <summary>The tokenizer and the tokenised text of a run.</summary>
internal sealed class TrainingText : IDisposable
{
    // Stories of the held-out text, where it has sources of its own, are others than those of the training text.
    private const string BuiltIn = "stories";
    private const ulong TrainingPart = 0, ValidationText = 1UL << 63, TestText = 3UL << 62;
    private static readonly string[] TokenizerFiles = ["merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json"];

    private readonly IReadOnlyList<(string Name, byte[] Content)> _tokenizerFiles;

    private readonly TokenFile _heldOut;
    private readonly TokenFile? _test;

    private TrainingText(Tokenizer tokenizer, TokenFile training, TokenFile heldOut, TokenFile? test, double? testShare)
    {
        (Tokenizer, Training, _heldOut, _test) = (tokenizer, training, heldOut, test);
        if (testShare is { } share) (HeldOut, Test) = HeldOutTokens.Split(heldOut, share);
        else (HeldOut, Test) = (new HeldOutTokens("held-out", heldOut), test is null ? null : new HeldOutTokens("test", test));

        // Held in memory, since a resumed run has them from a checkpoint, and that one will be removed when there are later ones.
        string folder = Path.GetDirectoryName(tokenizer.Source)!;
        _tokenizerFiles = [.. TokenizerFiles.Append(Path.GetFileName(tokenizer.Source)).Distinct().Where(name => File.Exists(Path.Combine(folder, name))).Select(name => (name, File.ReadAllBytes(Path.Combine(folder, name))))];
    }

    public Tokenizer Tokenizer { get; }

    public TokenFile Training { get; }

    /// <summary>The validation text.</summary>
    public HeldOutTokens HeldOut { get; }

    /// <summary>The test text; null where there is none.</summary>
    public HeldOutTokens? Test { get; }

    /// <summary>Reads or trains the tokenizer, and tokenises what was not tokenised before.</summary>
    /// <param name="config">The run.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="checkpoint">The checkpoint that is resumed, whose tokenizer holds; null for a new run.</param>
    /// <param name="observer">Told what takes long.</param>
    /// <param name="cancellation">Stops it.</param>
    public static TrainingText Prepare(TrainingConfig config, RunFolder folder, string? checkpoint, ITrainingObserver observer, CancellationToken cancellation)
    {
        var tokenizer = FindTokenizer(config, folder, checkpoint, observer, cancellation);
        string cache = config.Data.Cache ?? folder.CacheFolder;
        double share = config.Data.HeldOutShare;
        var options = new CorpusTokenizerOptions { HeldOutFraction = share, Seed = config.Seed, Threads = config.Threads == 0 ? Environment.ProcessorCount : config.Threads };
        var training = Tokenize(config, config.Data.Train, TrainingPart, tokenizer, cache, options, cancellation);
        var heldOut = share > 0 ? training.HeldOut!
            : Tokenize(config, config.Data.Validation, ValidationText, tokenizer, cache, options with { HeldOutFraction = 0 }, cancellation).Training;
        if (!training.Reused) observer.Notice(FormattableString.Invariant($"tokenised {training.Training.Documents} documents: {training.Training.Tokens} tokens; held out: {heldOut.Documents} documents, {heldOut.Tokens} tokens"));
        string? test = config.Data.Test.Count == 0 ? null
            : Tokenize(config, config.Data.Test, TestText, tokenizer, cache, options with { HeldOutFraction = 0 }, cancellation).Training.Path;
        var files = new List<TokenFile>();
        try
        {
            foreach (string? path in (string?[])[training.Training.Path, heldOut.Path, test])
            {
                if (path is not null) files.Add(TokenFile.Open(path));
            }

            return new TrainingText(tokenizer, files[0], files[1], files.ElementAtOrDefault(2), config.Data.TestShare);
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    /// <summary>Writes the tokenizer's files into a model folder.</summary>
    public void CopyTokenizer(string folder)
    {
        foreach (var (name, content) in _tokenizerFiles) File.WriteAllBytes(Path.Combine(folder, name), content);
    }

    public void Dispose()
    {
        Training.Dispose();
        _heldOut.Dispose();
        _test?.Dispose();
    }

    private static Tokenizer FindTokenizer(TrainingConfig config, RunFolder folder, string? checkpoint, ITrainingObserver observer, CancellationToken cancellation)
    {
        if ((checkpoint ?? config.Tokenizer.Path ?? config.Model.From) is { } path) return TokenizerLoader.Load(path);
        string place = Path.Combine(folder.FullPath, "tokenizer");
        if (config.Tokenizer.Source == TokenizerSource.Bytes) return ByteTokenizer.Create().Save(place);
        observer.Notice($"training a tokenizer of {config.Tokenizer.Vocabulary} tokens");
        var trained = BytePairTrainer.Train(Documents(config, config.Data.Train, TrainingPart), new BytePairTrainingOptions { VocabularySize = config.Tokenizer.Vocabulary }, cancellation);
        if (trained.VocabularySize < config.Tokenizer.Vocabulary)
            observer.Notice($"the text gives a tokenizer of {trained.VocabularySize} tokens only, fewer than tokenizer.vocabulary, {config.Tokenizer.Vocabulary}");
        return trained.Save(place);
    }

    private static TokenizedCorpus Tokenize(
        TrainingConfig config, IReadOnlyList<string> sources, ulong part, Tokenizer tokenizer, string cache, CorpusTokenizerOptions options, CancellationToken cancellation) =>
        IsBuiltIn(sources)
            ? TokenCache.GetOrCreate(
                Documents(config, sources, part), FormattableString.Invariant($"stories of grammar {StoryGenerator.GrammarVersion}, seed {StorySeed(config, part)}, {config.Data.Stories} of them"), tokenizer, cache, options, cancellation: cancellation)
            : TokenCache.GetOrCreate(Open(config, sources), tokenizer, cache, options, cancellation: cancellation);

    private static IEnumerable<string> Documents(TrainingConfig config, IReadOnlyList<string> sources, ulong part) =>
        IsBuiltIn(sources) ? new StoryGenerator(StorySeed(config, part)).Stories().Take(config.Data.Stories) : Open(config, sources).Documents();

    private static ulong StorySeed(TrainingConfig config, ulong part) => (ulong)config.Seed + part;

    private static CorpusReader Open(TrainingConfig config, IReadOnlyList<string> sources) =>
        CorpusReader.Open(sources, new CorpusReaderOptions { Field = config.Data.Field, Separator = config.Data.Separator });

    private static bool IsBuiltIn(IReadOnlyList<string> sources)
    {
        if (!sources.Contains(BuiltIn)) return false;
        return sources.Count == 1 ? true : throw new WiscaException($"the built-in {BuiltIn} cannot be mixed with other text ({string.Join(", ", sources)})", "name either; a file called stories is ./stories");
    }
}

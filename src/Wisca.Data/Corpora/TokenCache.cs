using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers;
using Wisca.Files;

namespace Wisca.Data.Corpora;

/// <summary>
/// A folder of tokenised corpora, so that each is tokenised once. A corpus lies in a folder named by its fingerprint: the tokenizer's hash,
/// the options, and the path, size and time of every file. Whatever of it changes leads to another folder, and nothing that is there is
/// ever changed: runs may share a cache, at the same time too. What is no longer wanted can be deleted.
/// </summary>
public static class TokenCache
{
    private const int FormatVersion = 1;
    private const string TrainingName = "training.tokens",
        HeldOutName = "held-out.tokens",
        InfoName = "corpus.json";

    /// <summary>The token files of a corpus: those that are there, or new ones.</summary>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">Makes ids of them.</param>
    /// <param name="folder">The cache; made where it does not exist.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told after each batch of documents.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">As for <see cref="CorpusTokenizer"/>; or what the cache holds is damaged.</exception>
    public static TokenizedCorpus GetOrCreate(
        CorpusReader corpus, Tokenizer tokenizer, string folder, CorpusTokenizerOptions? options = null,
        IProgress<CorpusProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        var identity = new JsonObject
        {
            ["field"] = corpus.Options.Field,
            ["separator"] = corpus.Options.Separator,
            ["files"] = new JsonArray(
            [
                .. corpus.Files.Select(file => (JsonNode?)new JsonObject
                {
                    ["path"] = file.FullPath,
                    ["bytes"] = file.Length,
                    ["written"] = file.LastWriteTime.ToString("O", CultureInfo.InvariantCulture),
                }),
            ]),
        };
        options ??= new CorpusTokenizerOptions();
        return GetOrCreate(
            identity,
            tokenizer,
            folder,
            options,
            (training, heldOut) =>
                CorpusTokenizer.Tokenize(corpus, tokenizer, training, heldOut, options, force: false, progress, cancellation));
    }

    /// <summary>The token files of documents that are not read from files: those that are there, or new ones.</summary>
    /// <param name="documents">The documents; not enumerated where their token files are there.</param>
    /// <param name="identity">What they are, all of it: of a generator its name, version, seed and number of documents.</param>
    /// <param name="tokenizer">Makes ids of them.</param>
    /// <param name="folder">The cache; made where it does not exist.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told after each batch of documents.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">As for <see cref="CorpusTokenizer"/>; or what the cache holds is damaged.</exception>
    public static TokenizedCorpus GetOrCreate(
        IEnumerable<string> documents, string identity, Tokenizer tokenizer, string folder, CorpusTokenizerOptions? options = null,
        IProgress<CorpusProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(identity);
        options ??= new CorpusTokenizerOptions();
        return GetOrCreate(
            new JsonObject { ["documents"] = identity }, tokenizer, folder, options,
            (training, heldOut) =>
                CorpusTokenizer.Tokenize(documents, tokenizer, training, heldOut, options, force: false, progress, cancellation));
    }

    private static TokenizedCorpus GetOrCreate(
        JsonObject source, Tokenizer tokenizer, string folder, CorpusTokenizerOptions options,
        Func<string, string?, TokenizedCorpus> tokenize)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string info = Describe(source, tokenizer, options);
        string name = Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(info))), place = Path.Combine(folder, name);
        if (Directory.Exists(place)) return Open(place, info, options.HoldsOut);
        try
        {
            AtomicFolder.Ensure(folder);
            using var entry = AtomicFolder.Create(place);
            tokenize(Path.Combine(entry.Staging, TrainingName), options.HoldsOut ? Path.Combine(entry.Staging, HeldOutName) : null);
            File.WriteAllText(Path.Combine(entry.Staging, InfoName), info);
            CommitUnlessThere(entry, place);
            return Open(place, info, options.HoldsOut) with { Reused = false };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException(
                $"cache {folder} cannot be written: {exception.Message}", "choose a folder you may write to", exception);
        }
    }

    private static string Describe(JsonObject source, Tokenizer tokenizer, CorpusTokenizerOptions options) => new JsonObject
    {
        ["version"] = FormatVersion,
        ["tokenizer"] = TokenizerHash.Of(tokenizer),
        ["eos"] = CorpusTokenizer.EosOf(tokenizer, options),
        ["special_tokens"] = options.AddSpecialTokens,
        ["held_out_fraction"] = options.HeldOutFraction,
        ["held_out_count"] = options.HeldOutCount,
        ["seed"] = options.HoldsOut ? options.Seed : 0,
        ["source"] = source,
    }.ToJsonString(new JsonSerializerOptions { WriteIndented = true });

    private static TokenizedCorpus Open(string place, string info, bool holdsOut)
    {
        const string hint = "delete this folder: it will be made anew";
        string infoPath = Path.Combine(place, InfoName);
        if (!File.Exists(infoPath) || File.ReadAllText(infoPath) != info)
            throw new WiscaException($"{infoPath} is not what was written there", hint);
        using var training = Open(TrainingName);
        using var heldOut = holdsOut ? Open(HeldOutName) : null;
        return new TokenizedCorpus(
            Part(TrainingName, training), heldOut is null ? null : Part(HeldOutName, heldOut), training.TokenizerHash,
            training.VocabularySize, training.EosId ?? throw new WiscaException($"{training.FullPath} names no EOS", hint), Reused: true);

        TokenFile Open(string name)
        {
            try
            {
                return TokenFile.Open(Path.Combine(place, name));
            }
            catch (WiscaException exception)
            {
                throw new WiscaException(exception.Message, $"delete {place}: it will be made anew", exception);
            }
        }

        TokenizedPart Part(string name, TokenFile file) => new(Path.Combine(place, name), file.Documents, file.Count, file.TextBytes);
    }

    /// <summary>Another run may have been faster with the same corpus; then its files are taken.</summary>
    private static void CommitUnlessThere(AtomicFolder entry, string place)
    {
        try
        {
            entry.Commit();
        }
        catch (IOException) when (Directory.Exists(place))
        {
        }
    }
}

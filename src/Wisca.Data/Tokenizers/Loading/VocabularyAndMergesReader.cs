using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;
using Wisca.Data.Tokenizers.PreTokenizers;
using Wisca.Files;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// Reads GPT-2's pair of files: <c>vocab.json</c> (token to id) and <c>merges.txt</c> (two tokens a line, in the order of their
/// ranks). They say nothing of the pre-tokenizer, which is GPT-2's; a folder that names another kind of tokenizer is refused.
/// </summary>
internal static class VocabularyAndMergesReader
{
    private const string EndOfText = "<|endoftext|>";
    private static readonly string[] Classes = ["GPT2Tokenizer", "GPT2TokenizerFast", "CodeGenTokenizer", "CodeGenTokenizerFast"];

    public static Pipeline Read(string path, TokenizerSettings settings)
    {
        if (settings.TokenizerClass is { } name && !Classes.Contains(name))
        {
            throw new WiscaException(
                $"tokenizer_config.json: tokenizer_class is {name}, whose vocab.json and merges.txt are not supported",
                "add the model's tokenizer.json");
        }

        var file = JsonValue.Load(path);
        var vocabulary = new Vocabulary([.. file.Properties().Select(entry => (entry.Key, entry.Value.Number()))], "vocab.json");
        var merges = ReadMerges(Path.Combine(Path.GetDirectoryName(path)!, "merges.txt"), vocabulary);
        var added = AddedTokens(vocabulary, settings);
        int? Find(string token) => vocabulary.Find(token) ?? added.FirstOrDefault(other => other.Content == token)?.Id;

        // What GPT-2's own tokenizer takes where nobody says otherwise.
        int? endOfText = Find(EndOfText);
        int size = added.Select(token => token.Id + 1).Append(vocabulary.Size).Max();
        var (bos, eos) = settings.BosAndEos(Find, size, endOfText, endOfText);
        return new Pipeline
        {
            Kind = TokenizerKind.VocabularyAndMerges,
            Source = path,
            Vocabulary = vocabulary,
            AddedTokens = added,
            RawMatcher = new AddedTokenMatcher(added.Select(token => (token.Content, token))),
            NormalizedMatcher = new AddedTokenMatcher([]),
            PreTokenizers = [new ByteLevelPreTokenizer(settings.AddPrefixSpace ?? false, split: true)],
            Model = new BytePairModel(vocabulary, merges, new BytePairOptions()),
            Template = settings.Template(bos, eos, addBos: false),
            Decoders = [new ByteLevelDecoder()],
            BosId = bos,
            EosId = eos,
        };
    }

    private static List<BytePairMerge> ReadMerges(string path, Vocabulary vocabulary)
    {
        var merges = new List<BytePairMerge>();
        int number = 0;
        foreach (string ended in TextFile.Read(path, "vocab.json needs the merges.txt that belongs to it").Split('\n'))
        {
            string line = ended.TrimEnd('\r'), where = $"merges.txt: line {++number}";
            if (line.Length == 0 || line.StartsWith("#version", StringComparison.Ordinal)) continue;
            if (line.AsSpan().ContainsAnyExceptInRange(' ', '\u0143'))
                throw new WiscaException(
                    $"{where}: {Vocabulary.Quote(line)} is not in GPT-2's spelling of bytes",
                    "supported are byte-level vocabularies");
            merges.Add(TokenizerJsonReader.MergeOf(line.Split(' '), merges.Count, vocabulary, where));
        }

        return merges;
    }

    /// <summary>Tokens that the files beside the vocabulary name: those with an id of their own, and special ones inside it.</summary>
    private static List<AddedToken> AddedTokens(Vocabulary vocabulary, TokenizerSettings settings)
    {
        var names = settings.SpecialTokens().ToHashSet(StringComparer.Ordinal);
        var tokens = new Dictionary<string, AddedToken>(StringComparer.Ordinal);
        var ids = new HashSet<int>();
        foreach (var token in settings.AddedTokens())
        {
            bool clash =
                (vocabulary[token.Id] ?? token.Content) != token.Content
                || (vocabulary.Find(token.Content) ?? token.Id) != token.Id
                || !ids.Add(token.Id) || token.Id is < 0 or > Vocabulary.MaxId;
            if (clash)
            {
                string message = $"added token {Vocabulary.Quote(token.Content)}: its id {token.Id} is out of range or taken";
                throw new WiscaException(message, "mend added_tokens.json or tokenizer_config.json");
            }

            tokens.Add(token.Content, token with { Special = token.Special || names.Contains(token.Content) });
        }

        foreach (string name in names.Count == 0 ? [EndOfText] : names)
        {
            if (vocabulary.Find(name) is { } id) tokens.TryAdd(name, new AddedToken(name, id, Special: true));
        }

        return [.. tokens.Values];
    }
}

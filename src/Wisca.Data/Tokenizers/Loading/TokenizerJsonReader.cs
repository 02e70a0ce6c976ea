using System.Text.Json;
using System.Text.RegularExpressions;
using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;
using Wisca.Data.Tokenizers.PreTokenizers;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// Reads Hugging Face's <c>tokenizer.json</c> (github.com/huggingface/tokenizers): byte-level and byte-fallback BPE. What it
/// does not know, it refuses by name.
/// </summary>
internal sealed class TokenizerJsonReader
{
    private const string Hint = "this tokenizer cannot be used";
    private const string DamagedHint = "the tokenizer's files are damaged; fetch them again";

    private readonly string _path;
    private readonly JsonValue _root;
    private readonly TokenizerSettings _settings;

    public TokenizerJsonReader(string path, TokenizerSettings settings, bool rebuilt = false)
    {
        _path = path;
        _root = JsonValue.Load(path);
        if (rebuilt) _root = LlamaRebuild.Apply(_root, settings);
        _settings = settings;
    }

    public Pipeline Read()
    {
        var model = _root.Require("model");
        string type = model.Find("type")?.Text() ?? "BPE"; // files of 2020 do not say it
        if (type != "BPE") throw Unsupported(model, type, "BPE");
        var vocabulary = ReadVocabulary(model.Require("vocab"));
        var added = ReadAddedTokens(vocabulary);
        var normalizer = _root.Find("normalizer") is { } value ? ReadNormalizer(value) : text => text;
        int? Find(string name) => vocabulary.Find(name) ?? added.FirstOrDefault(token => token.Content == name)?.Id;
        int size = added.Select(token => token.Id + 1).Append(vocabulary.Size).Max();
        var (bos, eos) = _settings.BosAndEos(Find, size);
        var template = _root.Find("post_processor") is { } postProcessor ? ReadTemplate(postProcessor, size) : TokenTemplate.None;
        return new Pipeline
        {
            Kind = TokenizerKind.TokenizerJson,
            Source = _path,
            Vocabulary = vocabulary,
            AddedTokens = added,
            RawMatcher = new AddedTokenMatcher(added.Where(token => !token.Normalized).Select(token => (token.Content, token))),
            Normalizer = normalizer,
            NormalizedMatcher = new AddedTokenMatcher(
                added.Where(token => token.Normalized).Select(token => (normalizer(token.Content), token))),
            PreTokenizers = _root.Find("pre_tokenizer") is { } preTokenizer ? [.. ReadPreTokenizer(preTokenizer)] : [],
            Model = new BytePairModel(vocabulary, ReadMerges(model, vocabulary), ReadOptions(model, Find)),
            Template = WithSettings(template, bos, eos),
            Decoders = _root.Find("decoder") is { } decoder ? [.. ReadDecoder(decoder)] : null,
            BosId = bos,
            EosId = eos,
        };
    }

    private static Vocabulary ReadVocabulary(JsonValue vocab)
    {
        // Files of other model types, should they not say what they are, have a list here.
        var entries = vocab.Properties().Select(entry => (entry.Key, entry.Value.Number())).ToList();
        return new Vocabulary(entries, vocab.Where);
    }

    private List<AddedToken> ReadAddedTokens(Vocabulary vocabulary)
    {
        var tokens = new List<AddedToken>();
        int next = vocabulary.Count;
        foreach (var item in _root.Find("added_tokens")?.Items() ?? [])
        {
            var token = TokenizerSettings.ReadAddedToken(item, item.Require("id").Number());
            if (token.Content.Length == 0) continue;
            string quoted = Vocabulary.Quote(token.Content);

            // The reference does not take the id from here: it looks the token up, or else counts on. Both must agree.
            int id = vocabulary.Find(token.Content) ?? next++;
            if (token.Id != id)
                throw new WiscaException(
                    $"{item.Where}: {quoted} has the id {token.Id}, expected {id} by the vocabulary and the tokens before it",
                    Hint);
            if ((vocabulary[id] ?? token.Content) != token.Content)
                throw new WiscaException($"{item.Where}: {quoted} has the id {id} of {Vocabulary.Quote(vocabulary[id]!)}", Hint);
            if (tokens.Exists(other => other.Content == token.Content))
                throw new WiscaException($"{item.Where}: {quoted} stands there twice", Hint);
            tokens.Add(token);
        }

        return tokens;
    }

    private static List<BytePairMerge> ReadMerges(JsonValue model, Vocabulary vocabulary)
    {
        var list = model.Require("merges");
        var merges = new List<BytePairMerge>();
        foreach (var item in list.Items())
        {
            string[] pair =
                item.Element.ValueKind == JsonValueKind.Array ? [.. item.Items().Select(part => part.Text())] : item.Text().Split(' ');
            merges.Add(MergeOf(pair, merges.Count, vocabulary, item.Where));
        }

        return merges;
    }

    /// <summary>The merge of two tokens by their names.</summary>
    public static BytePairMerge MergeOf(string[] pair, int rank, Vocabulary vocabulary, string where)
    {
        int tokens = pair.Count(part => part.Length > 0);
        if (pair.Length != 2 || tokens != 2) throw new WiscaException($"{where}: a merge of {tokens} tokens, expected 2", DamagedHint);
        int Id(string token) => vocabulary.Find(token) ?? throw new WiscaException(
            $"{where}: the merge needs the token {Vocabulary.Quote(token)}, which the vocabulary does not have", DamagedHint);
        return new BytePairMerge(Id(pair[0]), Id(pair[1]), rank, Id(pair[0] + pair[1]));
    }

    private static BytePairOptions ReadOptions(JsonValue model, Func<string, int?> find)
    {
        foreach (string key in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (model.Find(key) is { } affix && affix.Text().Length > 0)
                throw new WiscaException($"{affix.Where} is set, which is not supported", Hint);
        }

        if (
            model.Find("dropout") is { } dropout
            && !(dropout.Element.ValueKind == JsonValueKind.Number && dropout.Element.GetDouble() == 0))
            throw new WiscaException(
                $"{dropout.Where} is set, which is not supported: the same text must give the same ids",
                "set it to null");
        var unknown = model.Find("unk_token");
        return new BytePairOptions
        {
            UnknownId = unknown is not { } token ? null : find(token.Text()) ?? throw token.Wrong("a token of the vocabulary"),
            FuseUnknown = model.Flag("fuse_unk", false),
            ByteFallback = model.Flag("byte_fallback", false),
            IgnoreMerges = model.Flag("ignore_merges", false),
        };
    }

    private static Func<string, string> ReadNormalizer(JsonValue value)
    {
        string type = value.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                var steps = value.Require("normalizers").Items().Select(ReadNormalizer).ToArray();
                return text => steps.Aggregate(text, (current, step) => step(current));
            case "NFC" or "NFD" or "NFKC" or "NFKD":
                bool compatible = type[2] == 'K', compose = type[^1] == 'C';
                return text => UnicodeNormalization.Normalize(text, compatible, compose);
            case "Lowercase":
                return Normalizers.Lowercase;
            case "Prepend":
                return Normalizers.Prepend(value.Require("prepend").Text());
            case "Strip":
                return Normalizers.Strip(value.Flag("strip_left", true), value.Flag("strip_right", true));
            case "Replace":
                return ReadReplace(value);
            default:
                throw Unsupported(value, type, "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Strip, Replace");
        }
    }

    private static Func<string, string> ReadReplace(JsonValue value)
    {
        string content = value.Require("content").Text();
        var pattern = value.Require("pattern");
        if (pattern.Find("String") is not { } literal)
        {
            var regex = ReadPattern(pattern);
            return text => regex.Replace(text, content);
        }

        string old = literal.Text();
        if (old.Length == 0) throw literal.Wrong("a text that is not empty");
        return text => text.Replace(old, content, StringComparison.Ordinal);
    }

    private static UnicodeRegex ReadPattern(JsonValue pattern)
    {
        if (pattern.Find("String") is { } literal) return new UnicodeRegex(Regex.Escape(literal.Text()));
        var regex = pattern.Require("Regex");
        return RegexTranslator.Compile(regex.Text(), regex.Where);
    }

    private static IEnumerable<IPreTokenizer> ReadPreTokenizer(JsonValue value)
    {
        string type = value.Require("type").Text();
        return type switch
        {
            "Sequence" => value.Require("pretokenizers").Items().SelectMany(ReadPreTokenizer),
            "ByteLevel" => [new ByteLevelPreTokenizer(value.Flag("add_prefix_space", true), value.Flag("use_regex", true))],
            "Split" =>
            [
                new SplitPreTokenizer(ReadPattern(value.Require("pattern")), ReadBehavior(value, null), value.Flag("invert", false)),
            ],
            "Digits" => Split(@"\p{N}", value.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "Punctuation" => Split(@"[!-/:-@\[-`{-~\p{P}]", ReadBehavior(value, SplitBehavior.Isolated)),
            "Whitespace" => Split(
                $@"[{CharacterClasses.RustWord}]+|[^{CharacterClasses.RustWord}\s]+", SplitBehavior.Removed, invert: true),
            "WhitespaceSplit" => Split(@"\s", SplitBehavior.Removed),
            "Metaspace" => [new MetaspacePreTokenizer(ReadMark(value), ReadScheme(value), value.Flag("split", true))],
            _ => throw Unsupported(value, type, "Sequence, ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, Metaspace"),
        };
    }

    private static SplitPreTokenizer[] Split(string pattern, SplitBehavior behavior, bool invert = false) =>
        [new SplitPreTokenizer(new UnicodeRegex(pattern), behavior, invert)];

    private static SplitBehavior ReadBehavior(JsonValue value, SplitBehavior? otherwise)
    {
        if (otherwise is { } behavior && value.Find("behavior") is null) return behavior;
        var name = value.Require("behavior");
        return name.Text() switch
        {
            "Removed" => SplitBehavior.Removed,
            "Isolated" => SplitBehavior.Isolated,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            _ => throw name.Wrong("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
        };
    }

    private static char ReadMark(JsonValue value)
    {
        string mark = value.Require("replacement").Text();
        return mark.Length == 1 ? mark[0] : throw value.Require("replacement").Wrong("one character");
    }

    /// <summary>Newer files name the scheme, older ones say whether there is a space in front.</summary>
    private static PrependScheme ReadScheme(JsonValue value)
    {
        if (value.Find("prepend_scheme") is not { } name)
            return value.Flag("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never;
        return name.Text() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw name.Wrong("always, first or never"),
        };
    }

    private static TokenTemplate ReadTemplate(JsonValue value, int size)
    {
        string type = value.Require("type").Text();
        switch (type)
        {
            case "ByteLevel":
                return TokenTemplate.None; // it changes offsets, not ids
            case "Sequence":
                TokenTemplate[] inner =
                [
                    .. value.Require("processors").Items().Select(one => ReadTemplate(one, size)).Where(one => one != TokenTemplate.None),
                ];
                if (inner.Length > 1) throw value.Require("processors").Wrong("one template at most"); // the reference cannot either
                return inner.FirstOrDefault(TokenTemplate.None);
            case "TemplateProcessing":
                return ReadTemplateProcessing(value, size);
            default:
                throw Unsupported(value, type, "ByteLevel, Sequence, TemplateProcessing");
        }
    }

    private static TokenTemplate ReadTemplateProcessing(JsonValue value, int size)
    {
        List<int> before = [], after = [];
        bool textSeen = false;
        foreach (var item in value.Require("single").Items())
        {
            if (item.Find("Sequence") is { } sequence)
            {
                if (textSeen || sequence.Require("id").Text() != "A") throw item.Wrong("the sequence A, once");
                textSeen = true;
                continue;
            }

            string name = item.Require("SpecialToken").Require("id").Text();
            var ids = value.Require("special_tokens").Require(name).Require("ids").Items()
                .Select(id => id.Number() is >= 0 and int number && number < size ? number : throw id.Wrong("the id of a token"));
            (textSeen ? after : before).AddRange(ids);
        }

        return textSeen ? new TokenTemplate(before, after) : throw value.Require("single").Wrong("a template with the sequence A");
    }

    private TokenTemplate WithSettings(TokenTemplate template, int? bos, int? eos)
    {
        var (before, after) = (template.Before.ToList(), template.After.ToList());
        if (_settings.AddBosToken is { } addBos) Adjust(before, bos, addBos, "bos", atEnd: false);
        if (_settings.AddEosToken is { } addEos) Adjust(after, eos, addEos, "eos", atEnd: true);
        return new TokenTemplate(before, after);
    }

    private static void Adjust(List<int> ids, int? token, bool wanted, string name, bool atEnd)
    {
        if (wanted && token is null) throw TokenizerSettings.NotNamed(name);
        if (token is not { } id || ids.Contains(id) == wanted) return;
        if (wanted) ids.Insert(atEnd ? ids.Count : 0, id);
        else ids.RemoveAll(other => other == id);
    }

    private static IEnumerable<IDecoder> ReadDecoder(JsonValue value)
    {
        string type = value.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                return value.Require("decoders").Items().SelectMany(ReadDecoder);
            case "ByteLevel":
                return [new ByteLevelDecoder()];
            case "ByteFallback":
                return [new ByteFallbackDecoder(keepValidParts: false)];
            case "Fuse":
                return [new FuseDecoder()];
            case "Replace":
                var replace = ReadReplace(value);
                return [new TokenDecoder((token, _) => replace(token))];
            case "Strip":
                string content = value.Require("content").Text();
                if (content.Length != 1) throw value.Require("content").Wrong("one character");
                return [TokenDecoder.Strip(content[0], value.Require("start").Number(), value.Require("stop").Number())];
            case "Metaspace":
                return [TokenDecoder.Metaspace(ReadMark(value), ReadScheme(value) != PrependScheme.Never)];
            default:
                throw Unsupported(value, type, "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace");
        }
    }

    private static WiscaException Unsupported(JsonValue value, string type, string supported) =>
        new($"{value.Where}.type is {type}, which is not supported", $"supported are {supported}");
}

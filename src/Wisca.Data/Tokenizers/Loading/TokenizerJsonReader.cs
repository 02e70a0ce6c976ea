using System.Text.Json;
using System.Text.RegularExpressions;
using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;
using Wisca.Data.Tokenizers.PreTokenizers;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// Reads Hugging Face's <c>tokenizer.json</c> (github.com/huggingface/tokenizers): BPE, unigram, WordPiece and word-level
/// models. What it does not know, it refuses by name.
/// </summary>
internal sealed class TokenizerJsonReader
{
    private const string Hint = "this tokenizer cannot be used";
    private const string DefaultUnknown = "[UNK]"; // of WordPiece
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
        string type = model.Find("type")?.Text() ?? UnstatedType(model);
        if (type is not ("BPE" or "Unigram" or "WordPiece" or "WordLevel"))
            throw Unsupported(model, type, "BPE, Unigram, WordPiece, WordLevel");
        var vocabulary = ReadVocabulary(model.Require("vocab"), type);
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
            Model = type switch
            {
                "Unigram" => ReadUnigram(model, vocabulary),
                "WordPiece" => ReadWordPiece(model, vocabulary),
                "WordLevel" => new WordLevelModel(vocabulary, ReadUnknown(model, vocabulary.Find)),
                _ => new BytePairModel(vocabulary, ReadMerges(model, vocabulary), ReadOptions(model, Find)),
            },
            Template = WithSettings(template, bos, eos),
            Decoders = _root.Find("decoder") is { } decoder ? [.. ReadDecoder(decoder)] : null,
            BosId = bos,
            EosId = eos,
        };
    }

    /// <summary>Files of 2020 do not say what they are; the keys do.</summary>
    private static string UnstatedType(JsonValue model) =>
        model.Find("merges") is not null ? "BPE"
        : model.Find("vocab") is { Element.ValueKind: JsonValueKind.Array } ? "Unigram"
        : model.Find("continuing_subword_prefix") is not null ? "WordPiece"
        : "BPE";

    private static Vocabulary ReadVocabulary(JsonValue vocab, string type) => new(
        type == "Unigram"
            ? [.. vocab.Items().Select((item, id) => (Piece(item).Element.GetString()!, id))]
            : [.. vocab.Properties().Select(entry => (entry.Key, entry.Value.Number()))],
        vocab.Where);

    /// <summary>The text of a unigram vocabulary's entry, which is a piece and its score.</summary>
    private static JsonValue Piece(JsonValue item) =>
        item.Element.ValueKind == JsonValueKind.Array && item.Element.GetArrayLength() == 2
            && item.Element[0].ValueKind == JsonValueKind.String && item.Element[1].ValueKind == JsonValueKind.Number
            ? item.Items().First()
            : throw item.Wrong("a piece and its score");

    private UnigramModel ReadUnigram(JsonValue model, Vocabulary vocabulary)
    {
        double[] scores = [.. model.Require("vocab").Items().Select(item => item.Element[1].GetDouble())];
        if (scores.Length == 0) throw model.Require("vocab").Wrong("a piece at least");
        int? unknown = model.Find("unk_id")?.Number();
        if (unknown is { } id && (id < 0 || id >= scores.Length)) throw model.Require("unk_id").Wrong("the id of a piece");
        return new UnigramModel(vocabulary, scores.Index().Where(entry => vocabulary[entry.Index]!.Length > 0), new UnigramOptions
        {
            UnknownId = unknown,
            ByteFallback = model.Flag("byte_fallback", false),
            UnknownScore = scores.Min() - UnigramModel.UnknownPenalty,
            Where = _path,
        });
    }

    private static WordPieceModel ReadWordPiece(JsonValue model, Vocabulary vocabulary) => new(
        vocabulary,
        ReadUnknown(model, vocabulary.Find)
            ?? vocabulary.Find(DefaultUnknown)
            ?? throw new WiscaException($"{model.Where}: no unk_token, and no token {DefaultUnknown}", DamagedHint),
        model.Find("continuing_subword_prefix")?.Text() ?? "##",
        model.Find("max_input_chars_per_word")?.Number() ?? 100);

    private List<AddedToken> ReadAddedTokens(Vocabulary vocabulary)
    {
        var tokens = new List<AddedToken>();
        var contents = new HashSet<string>(StringComparer.Ordinal);
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
            if (!contents.Add(token.Content))
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
        return new BytePairOptions
        {
            UnknownId = ReadUnknown(model, find),
            FuseUnknown = model.Flag("fuse_unk", false),
            ByteFallback = model.Flag("byte_fallback", false),
            IgnoreMerges = model.Flag("ignore_merges", false),
        };
    }

    private static int? ReadUnknown(JsonValue model, Func<string, int?> find) =>
        model.Find("unk_token") is { } token ? find(token.Text()) ?? throw token.Wrong("a token of the vocabulary") : null;

    private static Func<string, string> ReadNormalizer(JsonValue value)
    {
        string type = value.Require("type").Text();
        switch (type)
        {
            case "Sequence":
                var steps = value.Require("normalizers").Items().Select(ReadNormalizer).ToArray();
                return text => steps.Aggregate(text, (current, step) =>
                {
                    string next = step(current);
                    TextGrowth.Check(text.Length, next.Length, value.Where);
                    return next;
                });
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
            case "StripAccents":
                return text => Normalizers.Without(text, CharacterSets.Marks);
            case "BertNormalizer":
                bool lowercase = value.Flag("lowercase", true);
                return Normalizers.Bert(
                    value.Flag("clean_text", true),
                    value.Flag("handle_chinese_chars", true),
                    value.Flag("strip_accents", lowercase),
                    lowercase);
            case "Nmt":
                return Normalizers.Nmt;
            case "ByteLevel":
                return Normalizers.ByteLevel;
            case "Precompiled":
                return Normalizers.Precompiled(ReadCharacterMap(value));
            default:
                throw Unsupported(
                    value,
                    type,
                    "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Strip, Replace, StripAccents, BertNormalizer, Nmt, ByteLevel, "
                    + "Precompiled");
        }
    }

    private static CharacterMap ReadCharacterMap(JsonValue value)
    {
        if (value.Find("precompiled_charsmap") is not { } table) return new CharacterMap([], value.Where);
        return table.Element.ValueKind == JsonValueKind.String && table.Element.TryGetBytesFromBase64(out byte[]? bytes)
            ? new CharacterMap(bytes, table.Where)
            : throw table.Wrong("a table in base 64");
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
        return text =>
        {
            if (content.Length > old.Length)
                TextGrowth.Check(text.Length, text.Length + ((long)text.AsSpan().Count(old) * content.Length), value.Where);
            return text.Replace(old, content, StringComparison.Ordinal);
        };
    }

    private static UnicodeRegex ReadPattern(JsonValue pattern)
    {
        if (pattern.Find("String") is { } literal) return new UnicodeRegex(Regex.Escape(literal.Text()), literal.Where);
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
                new SplitPreTokenizer(
                    ReadPattern(value.Require("pattern")).FindMatches, ReadBehavior(value, null), value.Flag("invert", false)),
            ],
            "Digits" => Split(@"\p{N}", value.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "Punctuation" => SplitPunctuation(ReadBehavior(value, SplitBehavior.Isolated)),
            "Whitespace" => Split(
                $@"[{CharacterClasses.RustWord}]+|[^{CharacterClasses.RustWord}\s]+", SplitBehavior.Removed, invert: true),
            "WhitespaceSplit" => Split(@"\s", SplitBehavior.Removed),
            "BertPreTokenizer" => [.. Split(@"\s", SplitBehavior.Removed), .. SplitPunctuation(SplitBehavior.Isolated)],
            "CharDelimiterSplit" => Split(Regex.Escape(value.Require("delimiter").Text()), SplitBehavior.Removed),
            "Metaspace" => [new MetaspacePreTokenizer(ReadMark(value), ReadScheme(value), value.Flag("split", true))],
            _ => throw Unsupported(
                value,
                type,
                "Sequence, ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, "
                + "Metaspace"),
        };
    }

    private static SplitPreTokenizer[] Split(string pattern, SplitBehavior behavior, bool invert = false) =>
        [new SplitPreTokenizer(new UnicodeRegex(pattern, "the pre-tokenizer").FindMatches, behavior, invert)];

    private static SplitPreTokenizer[] SplitPunctuation(SplitBehavior behavior) =>
        [new SplitPreTokenizer(CharacterSets.Punctuation.FindMatches, behavior, invert: false)];

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
            case "BertProcessing" or "RobertaProcessing":
                return new TokenTemplate([TokenOf(value.Require("cls"), size)], [TokenOf(value.Require("sep"), size)]);
            default:
                throw Unsupported(value, type, "ByteLevel, Sequence, TemplateProcessing, BertProcessing, RobertaProcessing");
        }
    }

    /// <summary>The id of a token that is given as its name and its id.</summary>
    private static int TokenOf(JsonValue value, int size)
    {
        JsonValue[] pair = [.. value.Items()];
        if (pair.Length != 2) throw value.Wrong("a token's name and its id");
        return pair[1].Number() is >= 0 and int id && id < size ? id : throw pair[1].Wrong("the id of a token");
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
            case "WordPiece":
                return [TokenDecoder.WordPiece(value.Find("prefix")?.Text() ?? "##", value.Flag("cleanup", true))];
            default:
                throw Unsupported(value, type, "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece");
        }
    }

    private static WiscaException Unsupported(JsonValue value, string type, string supported) =>
        new($"{value.Where}.type is {type}, which is not supported", $"supported are {supported}");
}

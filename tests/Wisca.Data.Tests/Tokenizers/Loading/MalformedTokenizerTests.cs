using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>Broken and unsupported files: one clear line that names the file and the key, never another exception.</summary>
public sealed class MalformedTokenizerTests
{
    [Theory]
    [InlineData("", "is not valid JSON")]
    [InlineData("{\"model\": ", "is not valid JSON")]
    [InlineData("[]", "is not a JSON object")]
    [InlineData("{\"model\": {}, \"model\": {}}", "names a key twice")]
    [InlineData("{}", "the key model is missing")]
    [InlineData("{\"model\": 3}", "model is 3, expected an object")]
    public void Load_NoTokenizerJson_IsRefused(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], content);
        ShouldRefuse(folder, "tokenizer.json", expected);
    }

    // Each case is a path in the small tokenizer.json and what to put there; "-" takes the key away.
    [Theory]
    [InlineData("model.type", "\"WordPiece\"", "model: no unk_token, and no token [UNK]")]
    [InlineData("model.type", "\"Unigram\"", "model.vocab is {")]
    [InlineData("model.type", "\"CharacterLevel\"", "model.type is CharacterLevel")]
    [InlineData("model.vocab", "-", "the key vocab is missing")]
    [InlineData("model.vocab", "[[\"a\", -1.5]]", "model.vocab is [[\"a\", -1.5]], expected an object")]
    [InlineData("model.vocab", "{\"a\": \"0\"}", "expected a whole number")]
    [InlineData("model.vocab", "{\"a\": 1.5}", "expected a whole number")]
    [InlineData("model.vocab", "{\"a\": -1}", "token 'a' has the id -1")]
    [InlineData("model.vocab", "{\"a\": 2000000000}", "token 'a' has the id 2000000000")]
    [InlineData("model.vocab", "{\"a\": 0, \"b\": 0}", "tokens 'a' and 'b' both have the id 0")]
    [InlineData("model.vocab", "{\"\\ud800\": 0}", "a string that is not valid Unicode")]
    [InlineData("model.merges", "-", "the key merges is missing")]
    [InlineData("model.merges", "[3]", "model.merges[0] is 3, expected a string")]
    [InlineData("model.merges", "[\"a b c\"]", "model.merges[0]: a merge of 3 tokens")]
    [InlineData("model.merges", "[\"a b\", \"ab\"]", "model.merges[0]: the merge needs the token 'ab'")]
    [InlineData("model.merges", "[\"h e\", \"nowhere e\"]", "the merge needs the token 'nowhere'")]
    [InlineData("model.merges", "[[\"t\", \"h\", \"e\"]]", "a merge of 3 tokens")]
    [InlineData("model.merges", "[[\"t\", \"\\ud800\"]]", "a string that is not valid Unicode")]
    [InlineData("model.merges", "[\"a \"]", "a merge of 1 tokens")]
    [InlineData("model.dropout", "0.1", "model.dropout is set")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix is set")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix is set")]
    [InlineData("model.unk_token", "\"<nowhere>\"", "model.unk_token is \"<nowhere>\", expected a token of the vocabulary")]
    [InlineData("model.byte_fallback", "1", "model.byte_fallback is 1, expected true or false")]
    [InlineData("normalizer", "{\"type\": \"GrapheneNormalizer\"}", "normalizer.type is GrapheneNormalizer")]
    [InlineData(
        "normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Compiled\"}]}",
        "normalizer.normalizers[1].type is Compiled")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"content\": \"x\"}", "the key pattern is missing")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"content\": \"x\", \"pattern\": {\"String\": \"\"}}", "normalizer.pattern.String")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"content\": \"x\", \"pattern\": {\"Regex\": \"a**\"}}", "normalizer.pattern.Regex")]
    [InlineData("normalizer", "{}", "normalizer: the key type is missing")]
    [InlineData("pre_tokenizer", "{\"type\": \"UnicodeScripts\"}", "pre_tokenizer.type is UnicodeScripts")]
    [InlineData("pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": {}}", "pre_tokenizer.pretokenizers is {}, expected a list")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Exploded\"}",
        "pre_tokenizer.behavior is \"Exploded\"")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}}", "the key behavior is missing")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}",
        "pre_tokenizer.pattern.Regex: the regular expression has a '(' without its ')'")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[z-a]\"}, \"behavior\": \"Isolated\"}",
        "pre_tokenizer.pattern.Regex: the regular expression does not compile")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Han}\"}, \"behavior\": \"Isolated\"}",
        "the property '\\p{Han}'")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"__\"}",
        "pre_tokenizer.replacement is \"__\", expected one character")]
    [InlineData(
        "pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}",
        "pre_tokenizer.prepend_scheme is \"last\"")]
    [InlineData("post_processor", "{\"type\": \"BertProcessing\"}", "post_processor: the key cls is missing")]
    [InlineData(
        "post_processor", "{\"type\": \"TemplateProcessing\", \"single\": []}",
        "post_processor.single is [], expected a template with the sequence A")]
    [InlineData(
        "post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"B\"}}]}", "post_processor.single[0]")]
    [InlineData(
        "post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}], \"special_tokens\": {}}",
        "the key <s> is missing")]
    [InlineData(
        "post_processor",
        "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\"}}, {\"Sequence\": {\"id\": \"A\"}}], "
        + "\"special_tokens\": {\"x\": {\"ids\": [5000]}}}",
        "post_processor.special_tokens.x.ids[0] is 5000, expected the id of a token")]
    [InlineData("decoder", "{\"type\": \"CTC\"}", "decoder.type is CTC")]
    [InlineData("decoder", "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"CTC\"}]}", "decoder.decoders[0].type is CTC")]
    [InlineData(
        "decoder", "{\"type\": \"Strip\", \"content\": \"\", \"start\": 1, \"stop\": 0}",
        "decoder.content is \"\", expected one character")]
    [InlineData("added_tokens", "[{\"id\": 3}]", "added_tokens[0]: the key content is missing")]
    [InlineData("added_tokens", "[{\"content\": \"<x>\"}]", "added_tokens[0]: the key id is missing")]
    [InlineData("added_tokens", "[{\"id\": 7, \"content\": \"<x>\"}]", "added_tokens[0]: '<x>' has the id 7, expected 319")]
    [InlineData(
        "added_tokens", "[{\"id\": 319, \"content\": \"<x>\"}, {\"id\": 320, \"content\": \"<x>\"}]",
        "added_tokens[1]: '<x>' stands there twice")]
    [InlineData(
        "added_tokens", "[{\"id\": 319, \"content\": \"<x>\"}, {\"id\": 319, \"content\": \"<y>\"}]",
        "added_tokens[1]: '<y>' has the id 319, expected 320")]
    public void Load_TokenizerJsonWithOneFlaw_NamesIt(string path, string value, string expected)
    {
        // As text, so that half a surrogate pair gets into the file.
        const string Placeholder = "\"here\"";
        var json = Fixture.Json(Fixture.Variant("gpt2"));
        string[] keys = path.Split('.');
        JsonObject parent = keys.Length == 1 ? json : json[keys[0]]!.AsObject();
        parent[keys[^1]] = "here";
        if (value == "-") parent.Remove(keys[^1]);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], json.ToJsonString().Replace(Placeholder, value, StringComparison.Ordinal));
        ShouldRefuse(folder, "tokenizer.json", expected);
    }

    [Theory]
    [InlineData("{", "tokenizer_config.json", "is not valid JSON")]
    [InlineData("{\"bos_token\": 5}", "tokenizer_config.json", "bos_token is 5, expected a string")]
    [InlineData("{\"bos_token\": {}}", "tokenizer_config.json", "the key content is missing")]
    [InlineData("{\"eos_token\": \"<nowhere>\"}", "tokenizer_config.json", "eos_token is '<nowhere>', which the vocabulary does not have")]
    [InlineData("{\"add_bos_token\": \"yes\"}", "tokenizer_config.json", "add_bos_token is \"yes\", expected true or false")]
    [InlineData("{\"add_bos_token\": true}", "tokenizer_config.json", "add_bos_token is true, but no bos_token is named")]
    public void Load_SettingsWithOneFlaw_NamesIt(string content, string file, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gpt2")).ToJsonString());
        File.WriteAllText(folder["tokenizer_config.json"], content);
        ShouldRefuse(folder, file, expected);
    }

    [Theory]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", null, "{}", "merges.txt does not exist")]
    [InlineData("{\"a\": 0, \"b\": 1}", "a b", "{}", "merges.txt: line 1: the merge needs the token 'ab'")]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", "#version: 0.2\na b c", "{}", "merges.txt: line 2: a merge of 3 tokens")]
    [InlineData(
        "{\"a\": 0, \"\u2581\": 1, \"\u2581a\": 2}", "\u2581 a", "{}",
        "merges.txt: line 1: '\u2581 a' is not in GPT-2's spelling of bytes")]
    [InlineData("{\"a\": 0, \"b\": 0}", "", "{}", "vocab.json: tokens 'a' and 'b' both have the id 0")]
    [InlineData("{\"a\": 0}", "", "{\"tokenizer_class\": \"Qwen2Tokenizer\"}", "tokenizer_class is Qwen2Tokenizer")]
    [InlineData(
        "{\"a\": 0}", "", "{\"added_tokens_decoder\": {\"0\": {\"content\": \"<x>\"}}}", "'<x>': its id 0 is out of range or taken")]
    [InlineData("{\"a\": 0}", "", "{\"added_tokens_decoder\": {\"zero\": {\"content\": \"<x>\"}}}", "'zero' is no token id")]
    [InlineData("{\"a\": 0}", "", "{\"add_eos_token\": true}", "add_eos_token is true, but no eos_token is named")]
    public void Load_VocabularyAndMergesWithOneFlaw_NamesIt(string vocab, string? merges, string settings, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["vocab.json"], vocab);
        if (merges is not null) File.WriteAllText(folder["merges.txt"], merges);
        File.WriteAllText(folder["tokenizer_config.json"], settings);
        ShouldRefuse(folder, "", expected);
    }

    [Fact]
    public void Load_SentencePieceCutAnywhere_IsRefusedOrHarmless()
    {
        // What can be missing without harm is the test data at the very end.
        byte[] whole = File.ReadAllBytes(Fixture.PathOf("bytes.model"));
        int[] expected = TokenizerLoader.Load(Fixture.PathOf("bytes.model")).Encode("the boat, caf\u00e9");
        using var folder = new TemporaryFolder();
        int refused = 0;
        foreach (int length in Enumerable.Range(0, whole.Length).Where(length => length % 61 == 0 || length > whole.Length - 300))
        {
            File.WriteAllBytes(folder["tokenizer.model"], whole[..length]);
            try
            {
                TokenizerLoader.Load(folder.FullPath).Encode("the boat, caf\u00e9").ShouldBe(expected);
            }
            catch (WiscaException exception)
            {
                exception.Message.ShouldStartWith("tokenizer.model is no whole SentencePiece model: ");
                refused++;
            }
        }

        refused.ShouldBeGreaterThan(whole.Length / 61);
    }

    [Theory]
    [InlineData("IQ== 0\nIg== 1\nIw== 2\n", "is no whole SentencePiece model")]
    [InlineData("", "it has no pieces")]
    public void Load_SomethingElseByThatName_IsRefused(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.model"], content);
        ShouldRefuse(folder, "tokenizer.model", expected);
    }

    public static TheoryData<string, byte[], string> SentencePieceFlaws => new()
    {
        { "word", ProtoFile.Model(trainer: ProtoFile.Number(3, 3)), "trainer_spec.model_type is WORD" },
        {
            "suffix",
            ProtoFile.Model(trainer: [.. ProtoFile.Number(3, 2), .. ProtoFile.Number(24, 1)]),
            "trainer_spec.treat_whitespace_as_suffix"
        },
        { "no escape", ProtoFile.Model(normalizer: ProtoFile.Number(5, 0)), "normalizer_spec.escape_whitespaces = false" },
        {
            "charsmap too short",
            ProtoFile.Model(normalizer: ProtoFile.Bytes(2, [1, 2])),
            "normalizer_spec.precompiled_charsmap is damaged"
        },
        {
            "charsmap cut",
            ProtoFile.Model(normalizer: ProtoFile.Bytes(2, [8, 0, 0, 0, 1, 2])),
            "normalizer_spec.precompiled_charsmap is damaged"
        },
        {
            "denormalizer",
            [.. ProtoFile.Model(), .. ProtoFile.Bytes(5, ProtoFile.Bytes(2, [1]))],
            "denormalizer_spec.precompiled_charsmap"
        },
        { "no unknown", ProtoFile.Model(pieces: ProtoFile.Piece("a", 1)), "has 0 unknown tokens, expected 1" },
        {
            "two unknowns",
            ProtoFile.Model(pieces: [.. ProtoFile.Piece("a", 2), .. ProtoFile.Piece("b", 2)]),
            "has 2 unknown tokens, expected 1"
        },
        { "unused", ProtoFile.Model(pieces: [.. ProtoFile.Piece("a", 2), .. ProtoFile.Piece("b", 5)]), "piece 1 is unused" },
        { "unknown type", ProtoFile.Model(pieces: ProtoFile.Piece("a", 9)), "piece 0 is of the unknown type 9" },
        { "twice", ProtoFile.Model(pieces: [.. ProtoFile.Piece("a", 2), .. ProtoFile.Piece("a", 1)]), "token 'a' stands there twice" },
        { "empty piece", ProtoFile.Model(pieces: [.. ProtoFile.Piece("a", 2), .. ProtoFile.Piece("", 1)]), "piece 1 is empty" },
        {
            "character that is no piece",
            ProtoFile.Model(pieces: [.. ProtoFile.Piece("u", 2), .. ProtoFile.Piece("a", 1), .. ProtoFile.Piece("ab", 1)]),
            "piece 'ab' has a character that is no piece"
        },
        { "no UTF-8", ProtoFile.Model(pieces: ProtoFile.Bytes(1, ProtoFile.Bytes(1, [0xFF]))), "a text in it is no UTF-8" },
        {
            "no normalizer",
            ProtoFile.Bytes(1, ProtoFile.Bytes(1, [0x61])).Concat(ProtoFile.Bytes(2, [])).ToArray(),
            "it has no normalizer_spec"
        },
        { "wire type", [0x0B], "field 1 has the wire type 3" },
    };

    [Theory]
    [MemberData(nameof(SentencePieceFlaws))]
    public void Load_SentencePieceWithOneFlaw_NamesIt(string flaw, byte[] content, string expected)
    {
        flaw.ShouldNotBeEmpty();
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.model"], content);
        ShouldRefuse(folder, "tokenizer.model", expected);
    }

    [Theory]
    [InlineData("bytes.model", 1500)]
    [InlineData("rules.model", 1500)]
    [InlineData("gpt2", 600)]
    [InlineData("llama3", 150)]
    [InlineData("gemma", 400)]
    public void Load_BytesChanged_WorksOrIsRefused(string name, int count)
    {
        bool isModel = name.EndsWith(".model", StringComparison.Ordinal);
        byte[] whole = isModel
            ? File.ReadAllBytes(Fixture.PathOf(name))
            : Encoding.UTF8.GetBytes(Fixture.Json(Fixture.Variant(name)).ToJsonString());

        // Half of the changes near the end, where everything is that is no vocabulary.
        var place = Gen.Frequency((1, Gen.Int[0, whole.Length - 1]), (1, Gen.Int[Math.Max(0, whole.Length - 1500), whole.Length - 1]));
        int refused = 0;
        Gen.Select(place, Gen.Byte).Array[1, 4].Sample(
            changes =>
            {
                byte[] changed = [.. whole];
                foreach (var (at, value) in changes) changed[at] = isModel ? value : (byte)" 0\"[]{},:-ex\\"[value % 13];
                using var folder = new TemporaryFolder();
                string file = folder[isModel ? "tokenizer.model" : "tokenizer.json"];
                File.WriteAllBytes(file, changed);
                try
                {
                    var tokenizer = TokenizerLoader.Load(file);
                    tokenizer.Decode(tokenizer.Encode("The boat's 12 \u00e9\ufb01\U0001F600 <s> ab\u2003 c"));
                }
                catch (WiscaException)
                {
                    Interlocked.Increment(ref refused);
                }
            },
            iter: count);
        refused.ShouldBeInRange(1, count - 1);
    }

    [Fact]
    public void Load_SmallestSentencePiece_Works()
    {
        // The null test of the flaws above.
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.model"], ProtoFile.Model());
        TokenizerLoader.Load(folder.FullPath).Encode("a").ShouldBe([1, 2]);
    }

    [Fact]
    public void Load_TokensBesideSentencePiece_AreRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["tokenizer.model"], ProtoFile.Model());
        File.WriteAllText(folder["added_tokens.json"], """{"<pad>": 3}""");
        ShouldRefuse(folder, "tokenizer.model", "lacks the token '<pad>' (id 3)");
    }

    [Fact]
    public void Load_NothingThere_SaysWhatIsExpected()
    {
        using var folder = new TemporaryFolder();
        ShouldRefuse(folder, folder.FullPath, "holds no tokenizer");
        Should.Throw<WiscaException>(() => TokenizerLoader.Load(folder["nowhere"])).Message.ShouldEndWith("nowhere does not exist");
        File.WriteAllText(folder["vocab.txt"], "a");
        Should.Throw<WiscaException>(() => TokenizerLoader.Load(folder["vocab.txt"])).Message.ShouldEndWith("vocab.txt is no tokenizer");
    }

    private static void ShouldRefuse(TemporaryFolder folder, string file, string expected)
    {
        var exception = Should.Throw<WiscaException>(() => TokenizerLoader.Load(folder.FullPath));
        exception.Message.ShouldContain(expected);
        exception.Message.ShouldStartWith(file);
        exception.Message.ShouldNotContain("\n");
        exception.Hint.ShouldNotBeNullOrEmpty();
    }
}

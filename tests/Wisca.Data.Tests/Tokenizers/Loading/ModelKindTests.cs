using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Data.Tokenizers.Unicode;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>Models that are not BPE, against Hugging Face's tokenizers and SentencePiece; see Fixtures/README.md.</summary>
public sealed class ModelKindTests
{
    private static readonly GoldenTokenizer[] Golden = Fixture.Read("models.json");

    public static TheoryData<string> Names => [.. Golden.Where(golden => golden.Patch is not null).Select(golden => golden.Name!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void EncodeDecode_TokenizerJson_AgreesWithReference(string name)
    {
        var tokenizer = Fixture.Load(Json(name));
        foreach (var row in Golden.Single(golden => golden.Name == name).Rows) Fixture.ShouldAgree(tokenizer, row);
    }

    [Theory]
    [InlineData("unigram.model")]
    [InlineData("symbols.model")]
    [InlineData("fallback.model")]
    [InlineData("sums.model")]
    public void EncodeDecode_SentencePiece_AgreesWithReference(string name)
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf(name));
        foreach (var row in Golden.Single(golden => golden.Path == name).Rows) Fixture.ShouldAgree(tokenizer, row);
    }

    /// <summary>Words are counted in characters, of which some take two places in UTF-16, as by Hugging Face's tokenizers.</summary>
    [Theory]
    [InlineData("aaaaa", new[] { 1, 2, 2, 2, 2 })]
    [InlineData("aaaaaa", new[] { 0 })]
    [InlineData("\U0001D49C\U0001D49C\U0001D49C\U0001D49C\U0001D49C", new[] { 3, 4, 4, 4, 4 })]
    [InlineData("\U0001D49C\U0001D49C\U0001D49C\U0001D49C\U0001D49C\U0001D49C", new[] { 0 })]
    [InlineData("aa\U0001D49Caa", new[] { 1, 2, 4, 2, 2 })]
    [InlineData("aa\U0001D49Caaa", new[] { 0 })]
    public void Encode_WordPieceOfAsManyCharactersAsAllowed_IsSpelled(string word, int[] ids)
    {
        var json = Json("wordpiece, cased");
        json["added_tokens"] = new JsonArray();
        json["normalizer"] = null;
        json["model"]!["max_input_chars_per_word"] = 5;
        json["model"]!["vocab"] = new JsonObject
        {
            ["[UNK]"] = 0, ["a"] = 1, ["##a"] = 2, ["\U0001D49C"] = 3, ["##\U0001D49C"] = 4,
        };
        Fixture.Load(json).Encode(word).ShouldBe(ids);
    }

    [Fact]
    public void Encode_OtherScores_GivesOtherIds()
    {
        // The null test: were scores not read, the golden ids could not tell.
        var json = Json("unigram");
        var vocabulary = json["model"]!["vocab"]!.AsArray();
        foreach (var entry in vocabulary) entry![1] = -Math.Pow(entry[0]!.GetValue<string>().Length, 2); // letters win
        var rows = Golden.Single(golden => golden.Name == "unigram").Rows;
        var tokenizer = Fixture.Load(json);
        rows.Count(row => !tokenizer.Encode(row.Text).SequenceEqual(row.Ids!)).ShouldBeGreaterThan(rows.Length / 2);
    }

    [Theory]
    [InlineData("unigram")]
    [InlineData("wordpiece, BERT")]
    public void Encode_ModelWithoutType_IsKnownByItsKeys(string name)
    {
        var json = Json(name);
        json["model"]!.AsObject().Remove("type");
        var row = Golden.Single(golden => golden.Name == name).Rows[1];
        Fixture.Load(json).Encode(row.Text).ShouldBe(row.Ids!);
    }

    [Fact]
    public void Encode_UnigramWithoutUnknownToken_RefusesWhatItCannotSpell()
    {
        var json = Json("unigram, ties");
        json["model"]!["unk_id"] = null;
        var tokenizer = Fixture.Load(json);
        tokenizer.Encode("boat").Length.ShouldBeGreaterThan(0);
        var error = Should.Throw<WiscaException>(() => tokenizer.Encode("boat z"));
        error.Message.ShouldContain("no piece spells 'z'");
        error.Message.ShouldContain("tokenizer.json");
    }

    [Theory]
    [InlineData("unk_id", "230000", "expected the id of a piece")]
    [InlineData("vocab", "[]", "expected a piece at least")]
    [InlineData("vocab", "[[\"a\"]]", "expected a piece and its score")]
    [InlineData("vocab", "{\"a\": 1}", "expected a list")]
    public void Load_BrokenUnigram_NamesTheKey(string key, string value, string expected)
    {
        var json = Json("unigram");
        json["model"]![key] = JsonNode.Parse(value);
        var error = Should.Throw<WiscaException>(() => Fixture.Load(json));
        error.Message.ShouldContain($"model.{key}");
        error.Message.ShouldContain(expected);
    }

    [Fact]
    public void Load_PrecompiledTableCutShort_IsRefused()
    {
        var json = Json("unigram, T5");
        byte[] table = Convert.FromBase64String(json["normalizer"]!["precompiled_charsmap"]!.GetValue<string>());
        json["normalizer"]!["precompiled_charsmap"] = Convert.ToBase64String(table.AsSpan(0, 100));
        Should.Throw<WiscaException>(() => Fixture.Load(json)).Message.ShouldContain("precompiled_charsmap is damaged");
        json["normalizer"]!["precompiled_charsmap"] = "not base 64!";
        Should.Throw<WiscaException>(() => Fixture.Load(json)).Message.ShouldContain("a table in base 64");
    }

    [Theory]
    [InlineData("{\"type\": \"UnicodeScripts\"}", "pre_tokenizer")]
    [InlineData("{\"type\": \"Nothing\"}", "normalizer")]
    public void Load_PartThatIsNotKnown_IsNamed(string part, string key)
    {
        var json = Json("unigram");
        json[key] = JsonNode.Parse(part);
        Should.Throw<WiscaException>(() => Fixture.Load(json)).Message.ShouldContain("which is not supported");
    }

    [Fact]
    public void Encode_PatternWithNestedRepetitions_EndsWithOneLine()
    {
        var json = Json("word level");
        json["pre_tokenizer"] = JsonNode.Parse(
            """{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}""");
        var tokenizer = Fixture.Load(json);
        tokenizer.Encode("aaa").ShouldBe([0]);
        var error = Should.Throw<WiscaException>(() => tokenizer.Encode(new string('a', 40) + "!"));
        error.Message.ShouldContain("pre_tokenizer.pattern.Regex");
        error.Message.ShouldContain($"{UnicodeRegex.TimeLimit.TotalSeconds} seconds");
    }

    [Fact]
    public void Encode_ReplacementsThatDouble_AreStopped()
    {
        var json = Json("word level");
        var steps = new JsonArray();
        for (int i = 0; i < 40; i++) steps.Add(JsonNode.Parse("""{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"""));
        json["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = steps };
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse(
            """{"id": 6, "content": "a", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}"""));
        Should.Throw<WiscaException>(() => Fixture.Load(json).Encode("a")).Message.ShouldContain("characters would become of");
    }

    [Fact]
    public void Encode_ManyAddedTokens_FindsTheLongest()
    {
        // Fifty thousand of one first letter, so that a search along them for each place would take minutes.
        const int count = 50_000;
        var json = Json("word level");
        var added = json["added_tokens"]!.AsArray();
        for (int i = 0; i < count; i++)
        {
            added.Add(new JsonObject
            {
                ["id"] = 6 + i, ["content"] = $"<{i}", ["normalized"] = false,
            });
        }

        var tokenizer = Fixture.Load(json);
        string text = string.Concat(Enumerable.Range(0, count).Select(i => $"<{i}"));
        tokenizer.Encode(text).ShouldBe(Enumerable.Range(6, count));
    }

    [Fact]
    public void TokenizerOfTheCase_UnigramAndRoberta_Load()
    {
        var unigram = TokenizerLoader.Load(Path.Combine(TestData.Require("cases/tokenizer-unigram"), "tokenizer"));
        unigram.Encode("Hello world").Length.ShouldBe(2);
        var roberta = TokenizerLoader.Load(Path.Combine(TestData.Require("cases/tokenizer-unigram"), "roberta-processing"));
        int[] ids = roberta.Encode("Hello world");
        (ids[0], ids[^1]).ShouldBe((447, 449));
    }

    private static JsonObject Json(string name) =>
        Golden.Single(golden => golden.Name == name).Patch!.DeepClone().AsObject();
}

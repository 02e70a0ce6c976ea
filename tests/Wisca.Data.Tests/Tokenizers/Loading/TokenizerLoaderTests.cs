using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

public sealed class TokenizerLoaderTests
{
    [Fact]
    public void Load_SeveralKinds_PrefersTokenizerJson()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["vocab.json"], """{"a": 0}""");
        File.WriteAllText(folder["merges.txt"], "");
        TokenizerLoader.Load(folder.FullPath).Kind.ShouldBe(TokenizerKind.VocabularyAndMerges);
        File.Copy(Fixture.PathOf("bytes.model"), folder["tokenizer.model"]);
        TokenizerLoader.Load(folder.FullPath).Kind.ShouldBe(TokenizerKind.SentencePiece);
        File.WriteAllText(folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gpt2")).ToJsonString());
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.Kind.ShouldBe(TokenizerKind.TokenizerJson);
        tokenizer.Source.ShouldBe(folder["tokenizer.json"]);
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}}""", 1, 2)]
    [InlineData("special_tokens_map.json", """{"bos_token": {"content": "<s>"}, "eos_token": "</s>"}""", 1, 2)]
    [InlineData("tokenizer_config.json", """{"bos_token": null, "eos_token": "</s>"}""", null, 2)]
    [InlineData("generation_config.json", """{"bos_token_id": 1, "eos_token_id": [2, 5]}""", 1, 2)]
    [InlineData("config.json", """{"bos_token_id": null, "eos_token_id": 2}""", null, 2)]
    [InlineData("config.json", """{"eos_token_id": 50256}""", null, null)]
    [InlineData("README.md", "", null, null)]
    public void Load_FilesBeside_NameBosAndEos(string file, string content, int? bos, int? eos)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gemma")).ToJsonString());
        File.WriteAllText(folder["config.json"], "{}");
        File.WriteAllText(folder[file], content);
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.BosId.ShouldBe(bos);
        tokenizer.EosId.ShouldBe(eos);
    }

    [Fact]
    public void Load_NamesInSeveralFiles_TheTokenizersOwnCountFirst()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gemma")).ToJsonString());
        File.WriteAllText(folder["tokenizer_config.json"], """{"eos_token": "</s>", "bos_token": null}""");
        File.WriteAllText(folder["special_tokens_map.json"], """{"eos_token": "<s>", "bos_token": "<s>"}""");
        File.WriteAllText(folder["generation_config.json"], """{"eos_token_id": 0, "bos_token_id": 0}""");
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.EosId.ShouldBe(2);
        tokenizer.BosId.ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"bos_token": "<s>", "eos_token": "</s>"}""", new[] { 1 }, new int[0])] // the template's own
    [InlineData("""{"bos_token": "<s>", "eos_token": "</s>", "add_eos_token": true}""", new[] { 1 }, new[] { 2 })]
    [InlineData("""{"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false}""", new int[0], new int[0])]
    [InlineData("""{"bos_token": "</s>", "eos_token": "</s>", "add_bos_token": true}""", new[] { 2, 1 }, new int[0])]
    [InlineData("""{"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "add_eos_token": false}""", new[] { 1 }, new int[0])]
    public void Encode_FlagsBesideTokenizerJson_ChangeTheTemplate(string settings, int[] before, int[] after)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gemma")).ToJsonString());
        File.WriteAllText(folder["tokenizer_config.json"], settings);
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.Encode("the boat").ShouldBe([.. before, .. tokenizer.Encode("the boat", addSpecialTokens: false), .. after]);
    }

    [Fact]
    public void Load_FileByAnyName_IsReadByItsExtension()
    {
        using var folder = new TemporaryFolder();
        JsonObject json = Fixture.Json(Fixture.Variant("gpt2"));
        File.WriteAllText(folder["mine.json"], json.ToJsonString());
        TokenizerLoader.Load(folder["mine.json"]).Encode("the").ShouldBe(Fixture.Load(json).Encode("the"));
    }
}

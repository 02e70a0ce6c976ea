using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>GPT-2's pair of files: the same vocabulary as the variant gpt2, so that the same ids are expected.</summary>
public sealed class VocabularyAndMergesTests
{
    [Fact]
    public void EncodeDecode_PairOfFiles_AgreesWithReference()
    {
        using var folder = new TemporaryFolder();
        Write(folder);
        File.WriteAllText(
            folder["added_tokens.json"],
            $$"""{"{{Fixture.EndOfText}}": {{Fixture.Variant("gpt2").Patch!["added_tokens"]![0]!["id"]}}}""");
        File.WriteAllText(
            folder["tokenizer_config.json"],
            $$"""{"eos_token": "{{Fixture.EndOfText}}", "tokenizer_class": "GPT2Tokenizer"}""");
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.Kind.ShouldBe(TokenizerKind.VocabularyAndMerges);
        foreach (var row in Fixture.Variant("gpt2").Rows) Fixture.ShouldAgree(tokenizer, row);
    }

    [Fact]
    public void Load_NothingSaid_TakesEndOfTextForBoth()
    {
        using var folder = new TemporaryFolder();
        Write(folder, withEndOfText: true);
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        int end = tokenizer.VocabularySize - 1;
        tokenizer.BosId.ShouldBe(end);
        tokenizer.EosId.ShouldBe(end);
        tokenizer.Encode($"the{Fixture.EndOfText}").ShouldBe([.. tokenizer.Encode("the"), end]);
        tokenizer.Decode([end, .. tokenizer.Encode("the")]).ShouldBe("the");
    }

    [Fact]
    public void Encode_AddBosToken_PutsItInFront()
    {
        using var folder = new TemporaryFolder();
        Write(folder, withEndOfText: true);
        File.WriteAllText(folder["tokenizer_config.json"], """{"add_bos_token": true, "add_eos_token": true, "add_prefix_space": true}""");
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        int end = tokenizer.EosId!.Value;
        tokenizer.Encode("the").ShouldBe([end, .. tokenizer.Encode(" the", addSpecialTokens: false), end]);
    }

    [Fact]
    public void Load_AddedTokensDecoder_IsRead()
    {
        using var folder = new TemporaryFolder();
        int next = Write(folder);
        string config = $"{{\"added_tokens_decoder\": {{\"{next}\": {{\"content\": \"<x>\", \"special\": false, \"lstrip\": true}}}}}}";
        File.WriteAllText(folder["tokenizer_config.json"], config);
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.Encode("the  <x>").ShouldBe([.. tokenizer.Encode("the"), next]);
        tokenizer.Decode([next]).ShouldBe("<x>");
    }

    /// <summary>Writes the two files and returns the next free id.</summary>
    private static int Write(TemporaryFolder folder, bool withEndOfText = false)
    {
        var model = Fixture.Model("byte-level");
        var vocab = model["vocab"]!.AsObject();
        if (withEndOfText) vocab[Fixture.EndOfText] = vocab.Count;
        File.WriteAllText(folder["vocab.json"], vocab.ToJsonString());
        File.WriteAllLines(folder["merges.txt"], ["#version: 0.2", .. model["merges"]!.AsArray().Select(merge => (string)merge!), ""]);
        return vocab.Count;
    }
}

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>Real tokenizers on invented sentences and on whole texts, against Hugging Face's library and SentencePiece.</summary>
public sealed class DataFolderTests
{
    public static TheoryData<string, string> Tokenizers =>
    [
        .. from file in new[] { "golden.json", "sentencepiece.json" }
           from tokenizer in Fixture.Read(file)
           where tokenizer.Corpora!.Length > 0
           select (file, tokenizer.Path!),
    ];

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void EncodeDecode_InventedSentences_AgreesWithReference(string file, string path)
    {
        var tokenizer = TokenizerLoader.Load(TestData.Require(path.Split('/')));
        foreach (var row in Golden(file, path).Rows) Fixture.ShouldAgree(tokenizer, row);
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void Encode_WholeTexts_AgreesWithReference(string file, string path)
    {
        var tokenizer = TokenizerLoader.Load(TestData.Require(path.Split('/')));
        foreach (var (corpus, count, sha256) in Golden(file, path).Corpora!)
        {
            int[] ids = tokenizer.Encode(File.ReadAllText(TestData.Require(corpus.Split('/'))), addSpecialTokens: false);
            ids.Length.ShouldBe(count, corpus);
            Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<int>(ids))).ShouldBe(sha256, corpus);
        }
    }

    [Theory]
    [InlineData("tokenizers/gpt2", TokenizerKind.VocabularyAndMerges, 50257, 50256, 50256)]
    [InlineData("tokenizers/gpt-neox-20b", TokenizerKind.TokenizerJson, 50277, null, null)]
    [InlineData("tokenizers/llama2-32k", TokenizerKind.SentencePiece, 32000, 1, 2)]
    [InlineData("models/TinyStories-656K", TokenizerKind.TokenizerJson, 2048, 1, 2)]
    public void Load_KnownTokenizer_KnowsItsFacts(string path, TokenizerKind kind, int size, int? bos, int? eos)
    {
        var tokenizer = TokenizerLoader.Load(TestData.Require(path.Split('/')));
        tokenizer.Kind.ShouldBe(kind);
        tokenizer.VocabularySize.ShouldBe(size);
        tokenizer.BosId.ShouldBe(bos);
        tokenizer.EosId.ShouldBe(eos);
        File.Exists(tokenizer.Source).ShouldBeTrue();
    }

    [Fact]
    public void Encode_SentencePieceOfLlama_BeginsWithBos()
    {
        var tokenizer = TokenizerLoader.Load(TestData.Require("tokenizers", "llama2-32k"));
        tokenizer.Encode("Hello").ShouldBe([1, 15043]);
        tokenizer.Decode([1, 15043]).ShouldBe("Hello");
    }

    private static GoldenTokenizer Golden(string file, string path) => Fixture.Read(file).Single(tokenizer => tokenizer.Path == path);
}

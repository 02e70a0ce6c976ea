using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers;

/// <summary>Ids as tokenizers 0.23 gives them for what transformers 5.24 builds of the same vocabulary and merges.</summary>
public sealed class LlamaRebuildTests
{
    [Theory]
    [InlineData("LlamaTokenizer", " ab", new[] { 3, 6 })]
    [InlineData("LlamaTokenizer", "ab", new[] { 3, 6 })]
    [InlineData("LlamaTokenizer", "a\u00b0b", new[] { 3, 6 })]
    [InlineData("PreTrainedTokenizerFast", " ab", new[] { 3, 3, 6 })]
    [InlineData("PreTrainedTokenizerFast", "a\u00b0b", new[] { 3, 4, 0, 5 })]
    public void LoadAsTransformers_LlamasFile_HasTheIdsOfItsClass(string type, string text, int[] expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["tokenizer.json"],
            """
            {"added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
             {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, "pre_tokenizer": null,
             "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "merges": ["a b"],
             "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "\u2581": 3, "a": 4, "b": 5, "ab": 6}}}
            """);
        File.WriteAllText(folder["tokenizer_config.json"], $$"""{"tokenizer_class": "{{type}}", "legacy": false}""");
        TokenizerLoader.LoadAsTransformers(folder.FullPath).Encode(text, addSpecialTokens: false).ShouldBe(expected);
    }
}

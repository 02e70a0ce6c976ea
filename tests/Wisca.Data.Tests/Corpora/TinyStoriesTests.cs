using System.Text;
using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

/// <summary>The corpus that models here are trained on, through tokenizers of several kinds.</summary>
public sealed class TinyStoriesTests
{
    [Theory]
    [InlineData(false, null, "models", "TinyStories-656K")]
    [InlineData(true, "<|endoftext|>", "tokenizers", "gpt2")]
    [InlineData(false, null, "tokenizers", "tok4096-tinystories", "tok4096.model")]
    public void Tokenize_TinyStories_GivesTheStoriesBack(bool lossless, string? eos, params string[] tokenizerPath)
    {
        string source = TestData.Require("text", "tinystories", "train.txt");
        var tokenizer = TokenizerLoader.Load(TestData.Require(tokenizerPath));
        using var folder = new TemporaryFolder();
        var options = new CorpusTokenizerOptions { EosId = eos is null ? null : tokenizer.FindId(eos) };
        var result = CorpusTokenizer.Tokenize(CorpusReader.Open([source]), tokenizer, folder["a.tokens"], options: options);
        result.Training.Documents.ShouldBe(8869);

        // The oracle parts the file by itself.
        string[] stories = File.ReadAllText(source).Split("\n<|endoftext|>\n")[..^1];
        stories.Length.ShouldBe(8869);
        result.Training.TextBytes.ShouldBe(stories.Sum(story => (long)Encoding.UTF8.GetByteCount(story)));
        using var file = TokenFile.Open(folder["a.tokens"]);
        (file.Documents, file.Count).ShouldBe((8869L, result.Training.Tokens));
        var documents = Documents(file, result.EosId);
        documents.Count.ShouldBe(8869);
        if (lossless) documents.Select(ids => tokenizer.Decode(ids)).ShouldBe(stories);
        else for (int i = 0; i < stories.Length; i += 20) documents[i].ShouldBe(tokenizer.Encode(stories[i], addSpecialTokens: false));
    }

    private static List<int[]> Documents(TokenFile file, int eos)
    {
        long[] ids = new long[file.Count];
        file.Read(0, ids);
        var documents = new List<int[]>();
        var current = new List<int>();
        foreach (long id in ids)
        {
            if (id != eos) current.Add((int)id);
            else
            {
                documents.Add([.. current]);
                current.Clear();
            }
        }

        current.ShouldBeEmpty();
        return documents;
    }
}

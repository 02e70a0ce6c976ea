using System.Text;
using Wisca.Corpora;
using Wisca.Tokenizers;

namespace Wisca.Tests.Corpora;

/// <summary>The corpus that models here are trained on, through tokenizers of several kinds.</summary>
public sealed class TinyStoriesTests
{
    [Theory]
    [InlineData(null, "models", "TinyStories-656K")]
    [InlineData("<|endoftext|>", "tokenizers", "gpt2")]
    [InlineData(null, "tokenizers", "tok4096-tinystories", "tok4096.model")]
    public void Tokenize_TinyStories_GivesTheStoriesBack(string? eos, params string[] tokenizerPath)
    {
        string source = TestData.Require("text", "tinystories", "train.txt");
        var tokenizer = TokenizerLoader.Load(TestData.Require(tokenizerPath));
        using var folder = new TemporaryFolder();
        var options = new CorpusTokenizerOptions { EosId = eos is null ? null : tokenizer.FindId(eos), HeldOutFraction = 0.01 };
        var result = CorpusTokenizer.Tokenize(CorpusReader.Open([source]), tokenizer, folder["a.tokens"], folder["b.tokens"], options);
        (result.Training.Documents + result.HeldOut!.Documents).ShouldBe(8869);
        result.HeldOut.Documents.ShouldBeInRange(45, 135);

        // The oracle splits the file by itself.
        string[] stories = [.. File.ReadAllText(source).Split("\n<|endoftext|>\n", StringSplitOptions.RemoveEmptyEntries)];
        stories.Length.ShouldBe(8869);
        var left = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string story in stories) left[story] = left.GetValueOrDefault(story) + 1;
        long bytes = 0;
        foreach (var part in (TokenizedPart[])[result.Training, result.HeldOut])
        {
            using var file = TokenFile.Open(part.Path);
            (file.Documents, file.Count).ShouldBe((part.Documents, part.Tokens));
            foreach (int[] ids in Documents(file, result.EosId))
            {
                string story = tokenizer.Decode(ids);
                left.TryGetValue(story, out int count).ShouldBeTrue(story);
                left[story] = count - 1;
                bytes += Encoding.UTF8.GetByteCount(story);
            }
        }

        left.Values.ShouldAllBe(count => count == 0);
        bytes.ShouldBe(result.Training.TextBytes + result.HeldOut.TextBytes);
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

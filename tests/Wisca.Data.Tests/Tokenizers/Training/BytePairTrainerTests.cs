using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Training;

public sealed class BytePairTrainerTests
{
    private const string Hard =
        "Caf\u00e9 na\u00efve \u0416 \u6570\u5b66 \U0001F600\U0001F1E9\U0001F1EA e\u0301\r\n\t  end\0'Ll we'll 12345 <|other|>";
    private static readonly TrainedGolden Golden = TrainedGolden.Read();
    private static readonly string[] Letters = ["a", "b", "ab", "aa", " ", "\u00e9", "\n", "1"];

    [Fact]
    public void Train_Sentences_LearnsTheMergesOfHuggingFace()
    {
        var trained = BytePairTrainer.Train(
            Golden.Documents,
            new BytePairTrainingOptions
            {
                VocabularySize = 30_000,
                MinFrequency = 1,
                EosToken = "<unused>",
            });
        trained.Merges.Select(merge => $"{merge.Left} {merge.Right}").ShouldBe(Golden.Merges);
    }

    [Fact]
    public void Train_TinyStories_LearnsTheMergesOfHuggingFace()
    {
        string path = TestData.Require(Golden.Corpus.Split('/'));

        // The reference takes each line, with its end, for a document.
        var lines = File.ReadLines(path).Select(line => line + "\n");
        var trained = BytePairTrainer.Train(
            lines,
            new BytePairTrainingOptions { VocabularySize = 257 + Golden.Count, EosToken = "<unused>" });
        string merges = string.Join('\n', trained.Merges.Select(merge => $"{merge.Left} {merge.Right}"));
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(merges))).ShouldBe(Golden.Sha256);
    }

    [Fact]
    public void Train_FewLetters_AgreesWithDefinition()
    {
        // Few letters make many ties, runs of one letter, and two ways to one token.
        var texts = Gen.OneOf(Letters).Array[0, 60].Select(string.Concat).Array[1, 4];
        Gen.Select(texts, Gen.Int[0, 40], Gen.Int[1, 3]).Sample((documents, merges, minFrequency) =>
        {
            var naive = NaiveTrainer.Train(documents, merges, minFrequency);
            int tokens = naive.Select(merge => merge.Left + merge.Right).Distinct().Count();
            var trained = BytePairTrainer.Train(
                documents,
                new BytePairTrainingOptions { VocabularySize = 257 + tokens, MinFrequency = minFrequency });
            trained.Merges.Select(merge => (Bytes(merge.Left), Bytes(merge.Right))).ShouldBe(naive.Take(trained.Merges.Count));
            trained.VocabularySize.ShouldBe(257 + tokens);
        }, iter: 300);
    }

    [Fact]
    public void Encode_SavedTokenizer_AppliesTheMergesInTurn()
    {
        var trained = BytePairTrainer.Train(Golden.Documents, new BytePairTrainingOptions { VocabularySize = 400 });
        trained.VocabularySize.ShouldBe(400);
        using var folder = new TemporaryFolder();
        var tokenizer = trained.Save(folder.FullPath);
        (string, string)[] merges = [.. trained.Merges.Select(merge => (Bytes(merge.Left), Bytes(merge.Right)))];
        foreach (string text in Golden.Documents.Where(text => !text.Contains("<|endoftext|>", StringComparison.Ordinal)).Append(Hard))
        {
            int[] ids = tokenizer.Encode(text);
            ids.Select(id => Bytes(trained.Tokens[id])).ShouldBe(NaiveTrainer.Encode(text, merges), text);
            tokenizer.Decode(ids).ShouldBe(text);
        }
    }

    [Fact]
    public void Save_AnyFolder_HoldsIdsBytesAndSpecialTokens()
    {
        using var folder = new TemporaryFolder();
        var options = new BytePairTrainingOptions
        {
            VocabularySize = 300,
            BosToken = "<s>",
            SpecialTokens = ["<pad>", "<s>"],
            ModelMaxLength = 512,
        };
        var tokenizer = BytePairTrainer.Train(Golden.Documents, options).Save(Path.Combine(folder.FullPath, "new"));
        (tokenizer.EosId, tokenizer.BosId, tokenizer.FindId("<pad>"), tokenizer.VocabularySize).ShouldBe((256, 257, 258, 300));
        tokenizer.Encode("<pad>\u00ff~<|endoftext|>").ShouldBe([257, 258, 0xC3, 0xBF, '~', 256]);
        tokenizer.Decode([257, 'o', 'k', 256]).ShouldBe("ok");
        Directory
            .GetFiles(Path.Combine(folder.FullPath, "new"))
            .Select(Path.GetFileName)
            .Order()
            .ShouldBe(["tokenizer.json", "tokenizer_config.json"]);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.FullPath, "new", "tokenizer_config.json")))!;
        ((string?)config["eos_token"], (string?)config["bos_token"], (int)config["model_max_length"]!).ShouldBe(
            ("<|endoftext|>", "<s>", 512));
    }

    [Fact]
    public void Save_AgainAndOverAFile_ReplacesOrRefuses()
    {
        using var folder = new TemporaryFolder();
        ByteTokenizer.Create().Save(folder.FullPath).VocabularySize.ShouldBe(257);
        ByteTokenizer.Create("<s>").Save(folder.FullPath).VocabularySize.ShouldBe(258);
        Should.Throw<WiscaException>(() => ByteTokenizer.Create().Save(folder["tokenizer.json"])).Message.ShouldContain("tokenizer.json");
    }

    [Fact]
    public void Train_ThreadsAndOrder_DoNotMatter()
    {
        var options = new BytePairTrainingOptions { VocabularySize = 500, Threads = 1 };
        var one = BytePairTrainer.Train(Golden.Documents, options);
        BytePairTrainer.Train(Golden.Documents.Reverse(), options with { Threads = 8 }).Merges.ShouldBe(one.Merges);
    }

    [Fact]
    public void Train_SpecialTokenInTheText_CutsItOut()
    {
        var options = new BytePairTrainingOptions { VocabularySize = 1000, SpecialTokens = ["<sep>"] };
        var plain = BytePairTrainer.Train(["ab ab", "cd"], options with { MinFrequency = 1 });
        BytePairTrainer.Train(["ab ab<sep>cd<|endoftext|>"], options with { MinFrequency = 1 }).Merges.ShouldBe(plain.Merges);
    }

    [Fact]
    public void Train_SpecialTokenThatTextCouldBecome_IsNotMade()
    {
        var trained = BytePairTrainer.Train(["xabc xabc"], new BytePairTrainingOptions { VocabularySize = 1000, SpecialTokens = ["ab"] });
        trained.Tokens.Count(token => token == "ab").ShouldBe(1);
        trained.Merges.ShouldNotContain(merge => merge.Left + merge.Right == "ab");
    }

    [Fact]
    public void Train_SmallCorpus_IsSmallerThanAskedFor()
    {
        var reports = new List<BytePairTrainingProgress>();
        var trained = BytePairTrainer.Train(
            ["aa aa"],
            new BytePairTrainingOptions { VocabularySize = 1000, Progress = new Immediate(reports) });
        trained.VocabularySize.ShouldBe(258); // " aa" and its parts occur once
        reports[^1].ShouldBe(new BytePairTrainingProgress(1, 258));
    }

    [Fact]
    public void Train_HalfASurrogatePair_CountsAsReplacementCharacter() =>
        BytePairTrainer.Train(["x\ud800", "x\ud800"]).Merges.ShouldBe(BytePairTrainer.Train(["x\ufffd", "x\ufffd"]).Merges);

    [Theory]
    [InlineData(256, 2, 0, "at least 257")]
    [InlineData(1 << 25, 2, 0, "at most")]
    [InlineData(300, 0, 0, "frequency")]
    [InlineData(300, 2, -1, "threads")]
    public void Train_ContradictingOptions_IsRefused(int size, int minFrequency, int threads, string message)
    {
        var options = new BytePairTrainingOptions { VocabularySize = size, MinFrequency = minFrequency, Threads = threads };
        Should.Throw<WiscaException>(() => BytePairTrainer.Train(["text"], options)).Message.ShouldContain(message);
    }

    [Fact]
    public void Train_NoDocument_IsRefused() =>
        Should.Throw<WiscaException>(() => BytePairTrainer.Train([])).Message.ShouldContain("no document");

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    public void Train_SpecialTokenThatIsNone_IsRefused(string token) =>
        Should
            .Throw<WiscaException>(() => BytePairTrainer.Train(["text"], new BytePairTrainingOptions { EosToken = token }))
            .Message.ShouldContain("special token");

    [Fact]
    public void Train_CorpusThatFails_SaysItsOwnReason()
    {
        static IEnumerable<string> Broken()
        {
            yield return "text";
            throw new WiscaException("corpus.txt is damaged", "mend it");
        }

        Should.Throw<WiscaException>(() => BytePairTrainer.Train(Broken())).Message.ShouldBe("corpus.txt is damaged");
    }

    [Fact]
    public void ByteTokenizer_AnyText_GivesTheBytes()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = ByteTokenizer.Create().Save(folder.FullPath);
        tokenizer.VocabularySize.ShouldBe(257);
        tokenizer.EosId.ShouldBe(ByteTokenizer.EosId);
        tokenizer.BosId.ShouldBeNull();
        string text = Hard + string.Concat(Enumerable.Range(0, 0x180).Select(letter => (char)letter));
        int[] ids = tokenizer.Encode(text);
        ids.ShouldBe(Encoding.UTF8.GetBytes(text).Select(value => (int)value));
        tokenizer.Decode(ids).ShouldBe(text);
        tokenizer.Encode("a<|endoftext|>").ShouldBe(['a', 256]);
    }

    /// <summary>From GPT-2's alphabet back to bytes, in Latin-1.</summary>
    private static string Bytes(string token)
    {
        int[] hidden = [.. Enumerable.Range(0, 256).Where(value => value is not ((>= 33 and <= 126) or (>= 161 and <= 172) or >= 174))];
        return string.Concat(token.Select(letter => letter < 0x100 ? letter : (char)hidden[letter - 0x100]));
    }

    private sealed class Immediate(List<BytePairTrainingProgress> reports) : IProgress<BytePairTrainingProgress>
    {
        public void Report(BytePairTrainingProgress value) => reports.Add(value);
    }
}

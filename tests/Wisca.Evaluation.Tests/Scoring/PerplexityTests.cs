using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;

namespace Wisca.Evaluation.Tests.Scoring;

[Collection(TorchCollection.Name)]
public sealed class PerplexityTests
{
    private static readonly string[] Texts =
    [
        .. Enumerable
            .Range(0, 12)
            .Select(i =>
                string.Concat(Enumerable.Range(0, 5 + (i * 11 % 47)).Select(j => $" {(char)('a' + (((i * j) + j) % 23))}")) + ".\u00e9\n"),
    ];

    [Theory]
    [InlineData(null, null)]
    [InlineData(null, 5)]
    [InlineData(10, null)]
    [InlineData(10, 1)]
    [InlineData(10, 10)]
    public void Measure_AnyWindows_IsTheSumOverTokensOfTheDefinition(int? length, int? stride)
    {
        using var decoder = TinyFamilies.Create("llama");
        var tokenizer = new WordTokenizer(TinyFamilies.Vocabulary, addsBos: true);
        var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = length, BatchSize = 3 });
        var sums = new Perplexity(scorer, new PerplexityOptions { Documents = DocumentKind.Whole, Stride = stride }).Measure(Texts);

        double expected = 0;
        int count = 0;
        foreach (string text in Texts)
        {
            // The tokenizer adds BOS, which stands behind the prefix token and is predicted as any other, as in the harness.
            int[] tokens = tokenizer.Encode(text);
            tokens[0].ShouldBe(1);
            count += tokens.Length;
            for (int i = 0; i < tokens.Length; i++)
            {
                int[] seen = RollingWindowsTests.Definition(tokens, i, scorer.MaxLength, stride ?? scorer.MaxLength, prefix: 1);
                expected += Forwarded.Score(decoder, seen[..^1], seen[^1..], scorer.MaxLength).Sum;
            }
        }

        sums.Tokens.ShouldBe(count);
        sums.Documents.ShouldBe(Texts.Length);
        sums.LogLikelihood.ShouldBe(expected, 1e-9 * Math.Abs(expected));
        sums.Words.ShouldBe(Texts.Sum(text => text.Split([' ', '\n']).Length));
        sums.Bytes.ShouldBe(Texts.Sum(System.Text.Encoding.UTF8.GetByteCount));
        sums.TokenPerplexity.ShouldBe(Math.Exp(-expected / count), 1e-9);
        sums.WordPerplexity.ShouldBe(Math.Exp(-expected / sums.Words), 1e-6 * sums.WordPerplexity);
        sums.BytePerplexity.ShouldBe(Math.Exp(-expected / sums.Bytes), 1e-9);
        sums.BitsPerByte.ShouldBe(Math.Log2(sums.BytePerplexity), 1e-12);
    }

    [Fact]
    public void Measure_StoppedAndGoneOn_IsTheSameToTheLastBit()
    {
        using var decoder = TinyFamilies.Create("mistral", dtype: TorchSharp.torch.ScalarType.Float32);
        var perplexity = new Perplexity(
            new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary), new ScoringOptions { BatchSize = 1 }));
        var whole = perplexity.Measure(Texts);
        PerplexitySums saved = default;
        int stops = 0;
        while (saved.Documents < Texts.Length)
        {
            using var source = new CancellationTokenSource();
            var progress = new Direct(sums =>
            {
                saved = sums;
                source.Cancel();
            });
            try
            {
                perplexity.Measure(Texts, saved, progress, source.Token);
            }
            catch (OperationCanceledException)
            {
                stops++;
            }
        }

        stops.ShouldBeGreaterThan(2);
        saved.ShouldBe(whole);
        perplexity.Measure(Texts, saved).ShouldBe(whole);
    }

    [Fact]
    public void Measure_RealStories_IsTheLossOfPlainLoops()
    {
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        using var decoder = Decoder.Load(checkpoint);
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        var options = new PerplexityOptions { Documents = DocumentKind.Line, Limit = 6 };
        string file = TestData.Require("text", "tinystories", "valid.first220.txt");
        var sums = new Perplexity(new ModelScorer(decoder, tokenizer), options).Measure(Perplexity.Open([file], options).Documents());
        var plain = new PlainLlama(checkpoint);
        double expected = 0, largest = 0;
        foreach (string line in File.ReadLines(file).Where(line => line.Length > 0).Take(6))
        {
            int[] tokens = tokenizer.Encode(line);
            expected -= tokens.Length * plain.Loss([1, .. tokens]);
            largest = Math.Max(largest, plain.Logits([1, .. tokens]).Max(row => row.Max(Math.Abs)));
        }

        // A sum over tokens errs by less than their number times what one does.
        double allowed = PassRounding.OfLikelihood(decoder.Config, decoder.Config.MaxPositions, largest);
        sums.LogLikelihood.ShouldBe(expected, sums.Tokens * allowed);
    }

    [Fact]
    public void Measure_NothingToMeasure_IsAnError()
    {
        using var decoder = TinyFamilies.Create("llama");
        var scorer = new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary));
        Should.Throw<WiscaException>(() => new Perplexity(scorer).Measure([])).Message.ShouldContain("no document");
        Should
            .Throw<WiscaException>(() => new Perplexity(scorer, new PerplexityOptions { Stride = 33 }))
            .Message.ShouldContain("a window has 32");
        var nameless = new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary, hasBos: false, hasEos: false));
        Should.Throw<WiscaException>(() => new Perplexity(nameless).Measure(["a"])).Message.ShouldContain("no BOS and no EOS");
    }

    [Fact]
    public void State_SavedSums_AreThereForTheSameMeasurementOnly()
    {
        using var folder = new TemporaryFolder();
        var sums = new PerplexitySums
        {
            Documents = 3,
            Windows = 4,
            Tokens = 50,
            Words = 20,
            Bytes = 99,
            DetokenizedDocuments = 1,
            LogLikelihood = -Math.PI / 3,
        };
        var state = new PerplexityState(folder["a.json"], "{\"model\": 1}");
        state.Load(out bool foreign).ShouldBeNull();
        foreign.ShouldBeFalse();
        state.Save(default);
        state.Save(sums);
        state.Load(out foreign).ShouldBe(sums);
        foreign.ShouldBeFalse();
        new PerplexityState(folder["a.json"], "{\"model\": 2}").Load(out foreign).ShouldBeNull();
        foreign.ShouldBeTrue();
        File.WriteAllText(state.Path, "{\"Identity\": ");
        state.Load(out foreign).ShouldBeNull();
        foreign.ShouldBeTrue();
        state.Delete();
        Directory.EnumerateFileSystemEntries(folder.FullPath).ShouldBeEmpty();
    }

    [Fact]
    public void ModelDigest_OneBitOfAWeight_MakesAnother()
    {
        using var folder = new TemporaryFolder();
        TorchTinyModels.WriteLlama(folder["a"]);
        TorchTinyModels.WriteLlama(folder["sharded"], shards: 2);
        using Checkpoint a = Checkpoint.Open(folder["a"]), sharded = Checkpoint.Open(folder["sharded"]);
        ModelCopy.Write(
            a,
            folder["b"],
            edit: (info, values) => values[^1] = info.Name == "model.norm.weight" ? MathF.BitIncrement(values[^1]) : values[^1]);
        using var b = Checkpoint.Open(folder["b"]);
        ModelDigest.Of(sharded).ShouldBe(ModelDigest.Of(a));
        ModelDigest.Of(b).ShouldNotBe(ModelDigest.Of(a));
    }

    private sealed class Direct(Action<PerplexitySums> report) : IProgress<PerplexitySums>
    {
        public void Report(PerplexitySums value) => report(value);
    }
}

using System.Text;
using CsCheck;
using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

public sealed class CorpusTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tokenize_Documents_FollowOneAnotherWithEosBehindEach()
    {
        var result = CorpusTokenizer.Tokenize(["ab", "ü"], new CharacterTokenizer(), _folder["a.tokens"]);
        Read(_folder["a.tokens"]).ShouldBe(['a', 'b', 1, 'ü', 1]);
        result.Training.ShouldBe(new TokenizedPart(_folder["a.tokens"], 2, 5, 4));
        (result.HeldOut, result.EosId, result.VocabularySize, result.Reused).ShouldBe((null, 1, 512, false));
        using var file = TokenFile.Open(_folder["a.tokens"]);
        (file.EosId, file.Documents, file.TextBytes, file.TokenizerHash).ShouldBe((1, 2L, 4L, result.TokenizerHash));
    }

    [Fact]
    public void Tokenize_SpecialTokens_AreNotDoubled()
    {
        CorpusTokenizer.Tokenize(
            ["a", "b\u0001"], new CharacterTokenizer(eosAround: true), _folder["a.tokens"],
            options: new CorpusTokenizerOptions { AddSpecialTokens = true });
        Read(_folder["a.tokens"]).ShouldBe([0, 'a', 1, 0, 'b', 1, 1]); // of the second, the text ends with one itself
        CorpusTokenizer.Tokenize(
            ["a", "b\u0001"], new CharacterTokenizer(), _folder["b.tokens"],
            options: new CorpusTokenizerOptions { AddSpecialTokens = true });
        Read(_folder["b.tokens"]).ShouldBe([0, 'a', 1, 0, 'b', 1]);
    }

    [Fact]
    public void Tokenize_NoEos_IsAnErrorUnlessOneIsGiven()
    {
        var tokenizer = new CharacterTokenizer(eos: null);
        var error = Should.Throw<WiscaException>(() => CorpusTokenizer.Tokenize(["a"], tokenizer, _folder["a.tokens"]));
        error.Message.ShouldContain("no EOS token");
        error.Hint!.ShouldContain("--eos");
        CorpusTokenizer.Tokenize(["a"], tokenizer, _folder["a.tokens"], options: new CorpusTokenizerOptions { EosId = 7 });
        Read(_folder["a.tokens"]).ShouldBe(['a', 7]);
        Should
            .Throw<WiscaException>(() =>
                CorpusTokenizer.Tokenize(["a"], tokenizer, _folder["b.tokens"], options: new CorpusTokenizerOptions { EosId = 512 }))
            .Message.ShouldContain("EOS id 512");
    }

    [Fact]
    public void Tokenize_AnyDocumentsAndThreads_GiveTheSameFilesInOrder() =>
        Gen.Select(Gen.Int[1, 20_000].Array[1, 30], Gen.Int[1, 5], Gen.Double[0.1, 0.9]).Sample(
            (lengths, threads, fraction) =>
            {
                string[] texts = [.. lengths.Select((length, i) => $"{i}:{new string((char)('a' + (i % 26)), length)}")];
                var options = new CorpusTokenizerOptions { Threads = threads };
                CorpusTokenizer.Tokenize(texts, new CharacterTokenizer(), _folder["a.tokens"], options: options, force: true);
                Documents(_folder["a.tokens"]).ShouldBe(texts);
                try
                {
                    CorpusTokenizer.Tokenize(
                        texts,
                        new CharacterTokenizer(),
                        _folder["b.tokens"],
                        _folder["c.tokens"],
                        options with
                        {
                            HeldOutFraction = fraction,
                        },
                        force: true);
                }
                catch (WiscaException exception)
                {
                    // By chance all are on one side, which few documents often are.
                    exception.Message.ShouldContain("held out");
                    return;
                }

                string[] training = Documents(_folder["b.tokens"]), heldOut = Documents(_folder["c.tokens"]);
                training.ShouldBe(texts.Where(training.Contains));
                heldOut.ShouldBe(texts.Where(heldOut.Contains));
                training.Concat(heldOut).Order(StringComparer.Ordinal).ShouldBe(texts.Order(StringComparer.Ordinal));
            },
            iter: 15,
            threads: 1);

    [Fact]
    public void Tokenize_HeldOutFraction_DependsOnSeedAndTextOnly()
    {
        string[] texts = [.. Enumerable.Range(0, 4000).Select(i => $"document {i}")];
        string[] tenth = HeldOut(texts, new CorpusTokenizerOptions { HeldOutFraction = 0.1 });
        tenth.Length.ShouldBeInRange(305, 495); // five standard deviations about 400
        HeldOut([.. texts.Reverse()], new CorpusTokenizerOptions { HeldOutFraction = 0.1 }).Reverse().ShouldBe(tenth);
        HeldOut([.. texts.Take(2000)], new CorpusTokenizerOptions { HeldOutFraction = 0.1 })
            .ShouldBe(tenth.Where(text => int.Parse(text[9..]) < 2000));
        tenth.ShouldBeSubsetOf(HeldOut(texts, new CorpusTokenizerOptions { HeldOutFraction = 0.2 }));
        HeldOut(texts, new CorpusTokenizerOptions { HeldOutFraction = 0.1, Seed = 1 }).Intersect(tenth).Count().ShouldBeInRange(10, 75);
        HeldOut([.. texts, .. texts], new CorpusTokenizerOptions { HeldOutFraction = 0.1 }).ShouldBe([.. tenth, .. tenth]);
    }

    [Fact]
    public void Tokenize_HeldOutCount_IsExact()
    {
        string[] texts = [.. Enumerable.Range(0, 500).Select(i => $"document {i % 100}")];
        foreach (int count in (int[])[1, 7, 250, 499])
            HeldOut(texts, new CorpusTokenizerOptions { HeldOutCount = count }).Length.ShouldBe(count);
        HeldOut(texts, new CorpusTokenizerOptions { HeldOutCount = 25 }).Distinct().Count().ShouldBe(5);
        Should
            .Throw<WiscaException>(() => HeldOut(texts, new CorpusTokenizerOptions { HeldOutCount = 500 }))
            .Message.ShouldContain("500 documents are to be held out, but there are 500");
    }

    [Fact]
    public void Tokenize_OneSideOrBothEmpty_IsAnErrorAndLeavesNothing()
    {
        ShouldFail([], new CorpusTokenizerOptions(), "no document");
        ShouldFail(["a"], new CorpusTokenizerOptions { HeldOutFraction = 0.0001 }, "none of the 1 documents was held out");
        ShouldFail(["a"], new CorpusTokenizerOptions { HeldOutFraction = 0.9999 }, "the only documents there are (1) were held out");
        ShouldFail(["a"], new CorpusTokenizerOptions { HeldOutFraction = 1 }, "held-out fraction 1");
        ShouldFail(["a"], new CorpusTokenizerOptions { HeldOutFraction = double.NaN }, "held-out fraction");
        ShouldFail(["a"], new CorpusTokenizerOptions { HeldOutFraction = 0.1, HeldOutCount = 1 }, "both a fraction and a count");
        ShouldFail(["a", new string('\u0FFF', 200_000)], new CorpusTokenizerOptions(), "is beyond the vocabulary");

        void ShouldFail(string[] texts, CorpusTokenizerOptions options, string expected)
        {
            string? heldOut = options.HeldOutFraction == 0 ? null : _folder["h.tokens"];
            Should
                .Throw<WiscaException>(() =>
                    CorpusTokenizer.Tokenize(texts, new CharacterTokenizer(), _folder["a.tokens"], heldOut, options))
                .Message.ShouldContain(expected);
            Directory.GetFileSystemEntries(_folder.FullPath).ShouldBeEmpty();
        }
    }

    [Fact]
    public void Tokenize_Cancelled_LeavesNothing()
    {
        using var source = new CancellationTokenSource();
        Should.Throw<OperationCanceledException>(() =>
            CorpusTokenizer.Tokenize(Endless(source), new CharacterTokenizer(), _folder["a.tokens"], cancellation: source.Token));
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBeEmpty();

        static IEnumerable<string> Endless(CancellationTokenSource source)
        {
            for (int i = 0; ; i++)
            {
                if (i == 1000) source.Cancel();
                yield return new string('a', 1000);
            }
        }
    }

    [Fact]
    public void Tokenize_Files_ReportHowFarTheyAre()
    {
        File.WriteAllText(
            _folder["a.txt"],
            string.Concat(Enumerable.Range(0, 300).Select(i => $"{i} {new string('a', 1000)}\n<|endoftext|>\n")));
        var corpus = CorpusReader.Open([_folder["a.txt"]]);
        var seen = new Seen();
        CorpusTokenizer.Tokenize(corpus, new CharacterTokenizer(), _folder["a.tokens"], progress: seen);
        seen.Values.Count.ShouldBeGreaterThan(3);
        (seen.Values[^1].Documents, seen.Values[^1].BytesRead, seen.Values[^1].Length).ShouldBe((300, corpus.Length, corpus.Length));
    }

    internal static long[] Read(string path)
    {
        using var file = TokenFile.Open(path);
        long[] ids = new long[file.Count];
        file.Read(0, ids);
        return ids;
    }

    private static string[] Documents(string path)
    {
        var text = new StringBuilder();
        foreach (long id in Read(path)) text.Append((char)id);
        string[] documents = text.ToString().Split('\u0001');
        documents[^1].ShouldBeEmpty();
        return documents[..^1];
    }

    private string[] HeldOut(string[] texts, CorpusTokenizerOptions options)
    {
        CorpusTokenizer.Tokenize(texts, new CharacterTokenizer(), _folder["t.tokens"], _folder["h.tokens"], options, force: true);
        return Documents(_folder["h.tokens"]);
    }

    private sealed class Seen : IProgress<CorpusProgress>
    {
        public List<CorpusProgress> Values { get; } = [];

        public void Report(CorpusProgress value) => Values.Add(value);
    }
}

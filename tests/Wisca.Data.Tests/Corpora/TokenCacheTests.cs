using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

public sealed class TokenCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TokenCacheTests()
    {
        File.WriteAllText(_folder["a.txt"], string.Concat(Enumerable.Range(0, 50).Select(i => $"document {i}\n<|endoftext|>\n")));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void GetOrCreate_Again_ReusesTheFiles()
    {
        var options = new CorpusTokenizerOptions { HeldOutFraction = 0.2 };
        var first = Get(options);
        first.Reused.ShouldBeFalse();
        byte[] bytes = File.ReadAllBytes(first.Training.Path);
        var written = File.GetLastWriteTimeUtc(first.Training.Path);
        var second = Get(options with { Threads = 1 });
        second.ShouldBe(first with { Reused = true });
        File.GetLastWriteTimeUtc(first.Training.Path).ShouldBe(written);

        // The same as without a cache.
        CorpusTokenizer.Tokenize(CorpusReader.Open([_folder["a.txt"]]), new CharacterTokenizer(), _folder["t"], _folder["h"], options);
        File.ReadAllBytes(_folder["t"]).ShouldBe(bytes);
        File.ReadAllBytes(_folder["h"]).ShouldBe(File.ReadAllBytes(first.HeldOut!.Path));
        Directory.GetFileSystemEntries(_folder["cache"]).Length.ShouldBe(1);
        Directory
            .GetFiles(Path.GetDirectoryName(first.Training.Path)!)
            .Select(Path.GetFileName)
            .Order()
            .ShouldBe(["corpus.json", "held-out.tokens", "training.tokens"]);
    }

    [Fact]
    public void GetOrCreate_AnythingChanged_TokenisesAnew()
    {
        var options = new CorpusTokenizerOptions { HeldOutFraction = 0.2 };
        Get(options);
        Get(options with { Seed = 1 }).Reused.ShouldBeFalse();
        Get(options with { HeldOutFraction = 0.3 }).Reused.ShouldBeFalse();
        Get(options with { HeldOutFraction = 0, HeldOutCount = 3 }).Reused.ShouldBeFalse();
        Get(options with { EosId = 2 }).Reused.ShouldBeFalse();
        Get(options with { AddSpecialTokens = true }).Reused.ShouldBeFalse();
        Get(options, new CorpusReaderOptions { Field = "body" }).Reused.ShouldBeFalse();
        Get(options, vocabulary: 600).Reused.ShouldBeFalse();
        File.SetLastWriteTimeUtc(_folder["a.txt"], DateTime.UtcNow.AddHours(-1));
        Get(options).Reused.ShouldBeFalse();
        var written = File.GetLastWriteTimeUtc(_folder["a.txt"]);
        File.AppendAllText(_folder["a.txt"], "more");
        File.SetLastWriteTimeUtc(_folder["a.txt"], written);
        Get(options).Training.Documents.ShouldBeGreaterThan(30);
        Get(options).Reused.ShouldBeTrue();
        Directory.GetDirectories(_folder["cache"]).Length.ShouldBe(10);
    }

    [Fact]
    public void GetOrCreate_GeneratedDocuments_AreEnumeratedOnce()
    {
        int runs = 0;
        IEnumerable<string> Documents()
        {
            runs++;
            yield return "one";
            yield return "two";
        }

        Generate("two words").Reused.ShouldBeFalse();
        Generate("two words").Reused.ShouldBeTrue();
        runs.ShouldBe(1);
        Generate("two other words").Reused.ShouldBeFalse();
        runs.ShouldBe(2);

        TokenizedCorpus Generate(string identity) =>
            TokenCache.GetOrCreate(Documents(), identity, new CharacterTokenizer(), _folder["cache"]);
    }

    [Fact]
    public void GetOrCreate_DamagedEntry_IsAnErrorThatSaysWhatToDelete()
    {
        var first = Get(new CorpusTokenizerOptions());
        using (var stream = File.OpenWrite(first.Training.Path)) stream.SetLength(stream.Length - 2);
        Should
            .Throw<WiscaException>(() => Get(new CorpusTokenizerOptions()))
            .Hint!.ShouldContain(Path.GetDirectoryName(first.Training.Path)!);
        Directory.Delete(Path.GetDirectoryName(first.Training.Path)!, recursive: true);
        Get(new CorpusTokenizerOptions()).ShouldBe(first);
    }

    [Fact]
    public void GetOrCreate_AfterAFailureOrAKill_LeavesNothingAndClearsUp()
    {
        Should.Throw<WiscaException>(() => Get(new CorpusTokenizerOptions { HeldOutCount = 1000 }));
        Directory.GetFileSystemEntries(_folder["cache"]).ShouldBeEmpty();
        var first = Get(new CorpusTokenizerOptions());
        string place = Path.GetDirectoryName(first.Training.Path)!, name = Path.GetFileName(place);
        string killed = _folder["cache", $".{name}.{Guid.NewGuid():N}.wisca-partial"],
            alive = _folder["cache", $".{name}.{Guid.NewGuid():N}.wisca-partial"];
        Directory.CreateDirectory(killed);
        Directory.Move(place, Path.Combine(killed, "new"));
        File.WriteAllText(Path.Combine(killed, "lock"), "");
        Directory.CreateDirectory(alive);
        using (new FileStream(Path.Combine(alive, "lock"), FileMode.CreateNew, FileAccess.Write, FileShare.None))
            Get(new CorpusTokenizerOptions()).Reused.ShouldBeFalse();
        Directory.Exists(killed).ShouldBeFalse();
        Directory.Exists(alive).ShouldBeTrue();
    }

    [Fact]
    public void GetOrCreate_RunsAtTheSameTime_ShareOneEntry()
    {
        var results = new TokenizedCorpus[6];
        Parallel.For(0, results.Length, i => results[i] = Get(new CorpusTokenizerOptions()));
        results.Select(result => result.Training).Distinct().ShouldHaveSingleItem();
        Directory.GetFileSystemEntries(_folder["cache"]).ShouldHaveSingleItem();
    }

    private TokenizedCorpus Get(CorpusTokenizerOptions options, CorpusReaderOptions? reading = null, int vocabulary = 512) =>
        TokenCache.GetOrCreate(
            CorpusReader.Open([_folder["a.txt"]], reading), new CharacterTokenizer(vocabulary), _folder["cache"], options);
}

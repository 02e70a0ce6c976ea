using System.Diagnostics;
using System.Text.Json.Nodes;
using Wisca.Comparison.Results;
using Wisca.Tests;

namespace Wisca.Comparison.Tests.Results;

public sealed class RunClaimsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Path(string id) => _folder[id + ".claim"];

    private RunClaims Claims(TimeSpan? staleAfter = null) => new(_folder.FullPath, staleAfter);

    /// <summary>The claim of a process that this system knows nothing of.</summary>
    private void Foreign(string id, Action<JsonObject>? change = null)
    {
        using (var claims = Claims())
        {
            claims.TryTake(id).ShouldBeTrue();
            var owner = JsonNode.Parse(File.ReadAllText(Path(id)))!.AsObject();
            (owner["host"], owner["system"], owner["key"]) = ("elsewhere", "elsewhere", "another");
            change?.Invoke(owner);
            File.WriteAllText(Path(id), owner.ToJsonString());
        }

        File.Exists(Path(id)).ShouldBeTrue("a claim that is another's is not given back");
    }

    private static void Age(string path, TimeSpan age) => File.SetLastWriteTimeUtc(path, DateTime.UtcNow - age);

    [Fact]
    public void TryTake_ManyAtOnce_OneGetsIt()
    {
        for (int round = 0; round < 20; round++)
        {
            string id = $"run{round}";
            RunClaims[] all = [.. Enumerable.Range(0, 8).Select(_ => Claims())];
            bool[] taken = new bool[all.Length];
            Parallel.For(0, all.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, index => taken[index] = all[index].TryTake(id));
            taken.Count(took => took).ShouldBe(1);
            foreach (var claims in all) claims.Dispose();
        }

        Directory.EnumerateFileSystemEntries(_folder.FullPath).ShouldBeEmpty();
    }

    /// <summary>The same where a stale claim is there: whoever looks at it too late does not take the new one away.</summary>
    [Fact]
    public void TryTake_StaleClaimAndManyAtOnce_OneGetsIt()
    {
        for (int round = 0; round < 20; round++)
        {
            string id = $"run{round}";
            Foreign(id);
            Age(Path(id), TimeSpan.FromMinutes(5));
            RunClaims[] all = [.. Enumerable.Range(0, 8).Select(_ => Claims())];
            Parallel.For(0, all.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, index => all[index].TryTake(id));
            all.Count(claims => claims.Beat().Count == 0 && claims.TryTake(id)).ShouldBe(1);
            foreach (var claims in all) claims.Dispose();
        }
    }

    [Fact]
    public void TryTake_ForeignClaim_IsTakenOverWhenItIsOldByTheFileSystemsClock()
    {
        Foreign("run");
        using var claims = Claims();
        claims.TryTake("run").ShouldBeFalse();
        claims.HostOf("run").ShouldBe("elsewhere");
        Age(Path("run"), RunClaims.StaleAfter - TimeSpan.FromSeconds(20));
        claims.TryTake("run").ShouldBeFalse();
        Age(Path("run"), RunClaims.StaleAfter + TimeSpan.FromSeconds(20));
        claims.TryTake("run").ShouldBeTrue();
        claims.HostOf("run").ShouldBe(Environment.MachineName);
    }

    [Fact]
    public void TryTake_ProcessOfThisSystemThatHasEnded_IsTakenOverAtOnce()
    {
        using var process = Process.Start("sleep", "60");
        string system = "";
        using (var mine = Claims())
        {
            mine.TryTake("x").ShouldBeTrue();
            system = (string)JsonNode.Parse(File.ReadAllText(Path("x")))!["system"]!;
        }

        void Claimed(string id, long apart) => Foreign(id, owner =>
        {
            owner["system"] = system;
            owner["process"] = process.Id;
            owner["started"] = long.Parse(File.ReadAllText($"/proc/{process.Id}/stat").Split(' ')[21]) + apart;
        });
        Claimed("run", 0);
        Claimed("reused", -1000);
        using var claims = Claims();
        claims.TryTake("run").ShouldBeFalse("it lives");
        Age(Path("run"), TimeSpan.FromHours(1));
        claims.TryTake("run").ShouldBeFalse("it lives, and may have been paused");
        claims.TryTake("reused").ShouldBeTrue("another process has its number now");
        process.Kill();
        process.WaitForExit();
        claims.TryTake("run").ShouldBeTrue();
    }

    [Fact]
    public void Beat_KeepsAClaimFromGoingStale_AndTellsWhatWasLost()
    {
        using var claims = Claims();
        foreach (string id in (string[])["kept", "lost", "gone"])
        {
            claims.TryTake(id).ShouldBeTrue();
            Age(Path(id), TimeSpan.FromMinutes(5));
        }

        File.Delete(Path("lost"));
        Foreign("lost");
        File.Delete(Path("gone"));
        claims.Beat().Order().ShouldBe(["gone", "lost"]);
        claims.Beat().ShouldBeEmpty();
        (DateTime.UtcNow - File.GetLastWriteTimeUtc(Path("kept"))).ShouldBeLessThan(TimeSpan.FromMinutes(1));
        claims.Release("lost");
        claims.TryTake("lost").ShouldBeFalse("giving back what was lost takes nothing from who has it");
        claims.TryTake("gone").ShouldBeTrue();
    }

    /// <summary>A claim may be given back between the attempt and a second look.</summary>
    [Fact]
    public void TryTake_WhileOthersGiveBack_NeverFails()
    {
        long until = Environment.TickCount64 + 1500;
        int held = 0, taken = 0;
        Parallel.For(0, 3, new ParallelOptions { MaxDegreeOfParallelism = 3 }, _ =>
        {
            using var claims = Claims();
            while (Environment.TickCount64 < until)
            {
                if (!claims.TryTake("run")) continue;
                Interlocked.Increment(ref held).ShouldBe(1);
                Interlocked.Increment(ref taken);
                Interlocked.Decrement(ref held);
                claims.Release("run");
            }
        });
        taken.ShouldBeGreaterThan(3);
    }

    [Fact]
    public void TryTake_DamagedClaim_IsSomebodysUntilItIsOld()
    {
        File.WriteAllText(Path("run"), "{");
        using var claims = Claims();
        claims.TryTake("run").ShouldBeFalse();
        Age(Path("run"), TimeSpan.FromMinutes(5));
        claims.TryTake("run").ShouldBeTrue();
    }
}

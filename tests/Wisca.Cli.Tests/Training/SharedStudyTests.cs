using Wisca.Tests;

namespace Wisca.Cli.Tests.Training;

/// <summary>Several <c>wisca compare</c> in one folder, as machines have it that share a file system.</summary>
public sealed class SharedStudyTests
{
    private const string Arms = "  wisca: { wisca: { preset: qk_ten+vo_ten, every: 2 } }", Further = "seeds: [1, 2, 3]\nworkers: 1\n";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>One is killed between its runs, a third comes later: every run is made once, and all say the same in the end.</summary>
    [Fact]
    public void Compare_InOneFolderAndOneIsKilled_MakesNoRunTwiceAndLosesNone()
    {
        using var folder = new TemporaryFolder();
        string study = TinyStudy.Write(folder, 6, Arms, Further);
        File.WriteAllText(study, File.ReadAllText(study).Replace("workers: 2\n", ""));
        string[] command = ["compare", "--config", study];
        using var killed = WiscaProcess.Start(command);
        using var first = WiscaProcess.Start(command);
        WaitFor(() => Directory.Exists(folder["out", "runs"]) && Directory.EnumerateDirectories(folder["out", "runs"]).Any());
        killed.Kill();
        using var late = WiscaProcess.Start(command);
        foreach (var process in (WiscaProcess[])[first, late])
        {
            process.Wait(Patience).ShouldBeTrue();
            process.ExitCode.ShouldBe(0, process.Error);
            process.Output.ShouldContain("6 of 6 runs");
        }

        // Who finishes a run says so, once.
        string[] finished =
        [
            .. ((WiscaProcess[])[killed, first, late])
                .SelectMany(process => process.Error.Split('\n'))
                .Where(line => line.Contains(": validation loss", StringComparison.Ordinal))
                .Select(line => line[..line.IndexOf(": validation", StringComparison.Ordinal)].Trim()),
        ];
        finished.ShouldBeUnique();
        finished.Length.ShouldBeInRange(5, 6, "the killed one may have had no time to tell");
        Directory.EnumerateFileSystemEntries(folder["out", "work"]).ShouldBeEmpty();
    }

    private static void WaitFor(Func<bool> condition)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (!condition())
        {
            clock.Elapsed.ShouldBeLessThan(Patience);
            Thread.Sleep(20);
        }
    }
}

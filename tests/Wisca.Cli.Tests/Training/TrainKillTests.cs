using System.Diagnostics;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Training.Checkpointing;

namespace Wisca.Cli.Tests.Training;

/// <summary>A run that stores a checkpoint after every step, killed and interrupted.</summary>
public sealed class TrainKillTests(ITestOutputHelper log)
{
    private const int Steps = 40, Kills = 3;

    [Fact]
    public void Train_KilledAndInterrupted_EndsAsIfNothingHadHappened()
    {
        if (OperatingSystem.IsWindows()) return;
        using TemporaryFolder whole = new(), killed = new();
        const string further = "ema: 0.9\ncheckpoints: {every: 1, keep: 2}\nwisca: {every: 7, round: none}";
        WiscaProcess.Run("train", "--config", TinyRun.Write(whole, Steps, further: further));
        string[] command = ["train", "--config", TinyRun.Write(killed, Steps, further: further)];
        var random = new Random();
        var steps = new List<long>();
        int leftovers = 0;
        // Ctrl-C finishes the step and stores it.
        using (var process = WiscaProcess.Start(command))
        {
            AwaitCheckpoint(killed["run"], process, 0);
            process.Interrupt();
            process.Wait(TimeSpan.FromSeconds(20)).ShouldBeTrue();
            process.ExitCode.ShouldBe(0, process.Error);
            steps.Add(Step(killed["run"]));
            steps[0].ShouldBeLessThan(Steps);
            process.Output.ShouldStartWith($"{steps[0]} steps, ");
            process.Output.ShouldEndWith("interrupted: the same command goes on from here\n");
            process.Error.ShouldNotContain("wisca: ");
            Loads(killed["run"]);
        }

        for (int kill = 0; kill < Kills; kill++)
        {
            using var process = WiscaProcess.Start(command);
            AwaitCheckpoint(killed["run"], process, steps[^1]);
            process.Wait(TimeSpan.FromMilliseconds(random.Next(60)));
            process.Kill();
            leftovers += Directory.GetDirectories(killed["run", "checkpoints"], ".step-*.wisca-partial").Length;
            steps.Add(Step(killed["run"]));
            Loads(killed["run"]);
        }

        log.WriteLine($"stopped after steps {string.Join(", ", steps)}; {leftovers} unfinished checkpoints left and cleared");
        steps[1].ShouldBeLessThan(Steps);
        steps.ShouldBe(steps.Order());
        WiscaProcess.Run(command);
        Step(killed["run"]).ShouldBe(Steps);
        TinyRun.Contents(RunFolder.FindLatest(killed["run"])!).ShouldBe(TinyRun.Contents(RunFolder.FindLatest(whole["run"])!));
        TinyRun.Metrics(killed["run"]).ShouldBe(TinyRun.Metrics(whole["run"]));
        Names(killed).ShouldBe(Names(whole));

        static IEnumerable<string?> Names(TemporaryFolder folder) =>
            Directory.EnumerateFileSystemEntries(folder["run", "checkpoints"]).Select(path => Path.GetFileName(path)).Order();
    }

    /// <summary>A terminal that is closed sends SIGHUP: what is done is stored, as by Ctrl-C; under nohup the run goes on.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_TerminalClosed_StoresWhatIsDone(bool ignored)
    {
        if (!OperatingSystem.IsLinux()) return;
        using var folder = new TemporaryFolder();
        string[] command = ["train", "--config", TinyRun.Write(folder, 60, further: "ema: 0.9\ncheckpoints: {every: 1, keep: 2}")];
        using var process = ignored ? WiscaProcess.StartIgnoringHangUp(command) : WiscaProcess.Start(command);
        AwaitCheckpoint(folder["run"], process, 0);
        process.HangUp();
        process.Wait(TimeSpan.FromSeconds(60)).ShouldBeTrue();
        process.ExitCode.ShouldBe(0, process.Error);
        if (ignored) Step(folder["run"]).ShouldBe(60);
        else process.Output.ShouldEndWith("interrupted: the same command goes on from here\n");
        Loads(folder["run"]);
    }

    private static void AwaitCheckpoint(string run, WiscaProcess process, long before)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(30);)
        {
            if (Directory.Exists(Path.Combine(run, "checkpoints")) && RunFolder.FindLatest(run) is not null && Step(run) > before) return;
            if (!process.Wait(TimeSpan.FromMilliseconds(5))) continue;

            // On a fast machine the run may be complete.
            process.ExitCode.ShouldBe(0, process.Error);
            return;
        }

        throw new InvalidOperationException("the run stored no checkpoint");
    }

    private static long Step(string run) =>
        long.Parse(Path.GetFileName(RunFolder.FindLatest(run)!)["step-".Length..], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What the latest checkpoint names is whole: weights, averages, state.</summary>
    private static void Loads(string run)
    {
        string latest = RunFolder.FindLatest(run).ShouldNotBeNull();
        TrainingState.Load(latest).Step.ShouldBe(Step(run));
        foreach (string model in (string[])[latest, Path.Combine(latest, "average")])
        {
            using var checkpoint = Checkpoint.Open(model);
            checkpoint.Tensors.Count().ShouldBeGreaterThan(10);
        }

        TestCheckpoint.Read(Path.Combine(latest, "training")).Count.ShouldBeGreaterThan(20);
    }
}

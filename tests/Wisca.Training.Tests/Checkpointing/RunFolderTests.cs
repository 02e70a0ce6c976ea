using System.Diagnostics;
using Wisca.Files;
using Wisca.Tests;
using Wisca.Tests.PowerCut;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Training.Tests.Checkpointing;

public sealed class RunFolderTests : IDisposable
{
    private const string ChildFolder = "WISCA_TEST_CHILD_FOLDER";
    private static readonly CheckpointSection Options = new() { Keep = 2, Best = true };
    private readonly TemporaryFolder _folder = new();

    private string Place => _folder["run"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Save_SomeCheckpoints_KeepsTheLastAndTheBest()
    {
        using var run = RunFolder.Open(Place);
        run.LatestCheckpoint.ShouldBeNull();
        run.BestCheckpoint.ShouldBeNull();
        double?[] losses = [3, 1, null, 2, double.NaN, 5];
        for (int index = 0; index < losses.Length; index++)
        {
            string saved = run.Save((index + 1) * 100, losses[index], Options, Writer((index + 1) * 100));
            saved.ShouldBe(run.LatestCheckpoint);
            Check(saved, (index + 1) * 100);
        }

        Names().ShouldBe(["best.json", "latest.json", "step-000200", "step-000500", "step-000600"]);
        run.BestCheckpoint.ShouldBe(RunFolder.CheckpointPath(run.FullPath, 200));
        RunFolder.FindLatest(Place).ShouldBe(RunFolder.CheckpointPath(Place, 600));
        run.Save(1234567, 0.5, new CheckpointSection { Keep = 1, Best = false }, Writer(1234567));
        Names().ShouldBe(["best.json", "latest.json", "step-1234567"]);
    }

    [Fact]
    public void Save_LossThatEqualsTheLowest_LeavesTheFirstTheBest()
    {
        using var run = RunFolder.Open(Place);
        run.Save(100, 2, Options, Writer(100));
        run.Save(200, 1, Options, Writer(200));
        run.Save(300, 1, Options, Writer(300));
        run.BestCheckpoint.ShouldBe(RunFolder.CheckpointPath(run.FullPath, 200));
        run.Save(400, 1, Options, Writer(400));
        run.Save(500, double.PositiveInfinity, Options, Writer(500));
        run.BestCheckpoint.ShouldBe(RunFolder.CheckpointPath(run.FullPath, 200));
        run.Save(600, Math.BitDecrement(1.0), Options, Writer(600));
        run.BestCheckpoint.ShouldBe(RunFolder.CheckpointPath(run.FullPath, 600));
    }

    [Fact]
    public void Save_FailingAnywhere_LeavesTheEarlierCheckpoint()
    {
        using var run = RunFolder.Open(Place);
        run.Save(1, 1, Options, Writer(1));
        string[] before = Names();
        Should.Throw<WiscaException>(() => run.Save(2, 1, Options, staging =>
        {
            Writer(2)(staging);
            throw new IOException("no space left");
        })).ShouldSatisfyAllConditions(
            exception => exception.Message.ShouldContain("no space left"),
            exception => exception.Hint!.ShouldContain("step-000001"));
        Should.Throw<InvalidOperationException>(() => run.Save(2, 1, Options, _ => throw new InvalidOperationException()));
        Should.Throw<WiscaException>(() => run.Save(2, 1, Options, staging => File.WriteAllText(Path.Combine(staging, "model"), "")))
            .Message.ShouldContain("has no training/state.json");
        Names().ShouldBe(before);
        Check(run.LatestCheckpoint!, 1);
    }

    [Fact]
    public void Save_AfterResumingAnEarlierOne_DropsWhatCameLater()
    {
        using var run = RunFolder.Open(Place);
        run.Save(100, 5, Options, Writer(100));
        run.Save(200, 1, Options, Writer(200));
        run.Save(200, 2, Options, Writer(201));
        Check(run.LatestCheckpoint!, 201);
        run.BestCheckpoint!.ShouldEndWith("step-000200");
        run.Save(150, 3, Options, Writer(150));
        Names().ShouldBe(["best.json", "latest.json", "step-000100", "step-000150"]);
        run.LatestCheckpoint!.ShouldEndWith("step-000150");
        run.BestCheckpoint!.ShouldEndWith("step-000150");

        // The loss of 3 was that of weights which are gone.
        run.Save(150, 4, Options, Writer(151));
        run.Save(160, 3.5, Options, Writer(160));
        run.BestCheckpoint!.ShouldEndWith("step-000160");
    }

    /// <summary>A step that is reached again after resuming: whenever the power fails, one of its two checkpoints is whole.</summary>
    [Fact]
    public async Task Save_SameStepAgainAndCutOffAnywhere_LeavesTheOldOrTheNew()
    {
        const string place = "run/checkpoints/step-000100";
        using var run = RunFolder.Open(Place);
        run.Save(100, 5, Options, Writer(100));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var disk = new PowerCutDisk(_folder.FullPath, (_, remains) => seen.Add(remains.At(place) ?? "nothing"));
        string old = disk.End().At(place).ShouldNotBeNull();
        await Task.Run(() =>
        {
            // For this task alone.
            Disk.Default = disk;
            run.Save(100, 4, Options, Writer(101));
        });
        string fresh = disk.End().At(place).ShouldNotBeNull();
        fresh.ShouldBe(new PowerCutDisk(_folder.FullPath, (_, _) => { }).End().At(place));
        fresh.ShouldNotBe(old);
        seen.ShouldBe([old, fresh], ignoreOrder: true);
    }

    [Fact]
    public void BeginAnew_KilledBeforeItsFirstCheckpoint_DoesNotResumeTheEarlierRun()
    {
        using (var earlier = RunFolder.Open(Place))
        {
            earlier.BeginAnew();
            earlier.Save(100, 1, Options, Writer(100));
            earlier.Save(200, 2, Options, Writer(200));
        }

        using (var killed = RunFolder.Open(Place))
        {
            killed.BeginAnew();
            killed.BestCheckpoint.ShouldBeNull();
            killed.CheckpointBefore(300).ShouldBeNull();
        }

        Names().ShouldBe(["latest.json", "step-000100", "step-000200"]);
        using var run = RunFolder.Open(Place);
        run.LatestCheckpoint.ShouldBeNull();
        run.Save(300, 3, Options, Writer(300));
        run.LatestCheckpoint!.ShouldEndWith("step-000300");
        Names().ShouldBe(["best.json", "latest.json", "step-000300"]);
    }

    [Fact]
    public void Open_AfterAKill_FindsTheLatestCompleteOne()
    {
        using (var run = RunFolder.Open(Place))
        {
            run.Save(1, 1, Options, Writer(1));
            run.Save(2, 1, Options, Writer(2));
        }

        // Killed while writing the third; between the two renames of a second that is written again; while removing one.
        Directory.CreateDirectory(Path.Combine(Killed(3), "new", "training"));
        Directory.Move(RunFolder.CheckpointPath(Place, 2), Path.Combine(Killed(2), "old"));
        Directory.CreateDirectory(RunFolder.CheckpointPath(Place, 4));
        RunFolder.FindLatest(Place).ShouldBe(RunFolder.CheckpointPath(Place, 1));
        using (var run = RunFolder.Open(Place))
        {
            Check(run.LatestCheckpoint!, 2);
            Names().ShouldBe(["best.json", "latest.json", "step-000001", "step-000002", "step-000004"]);
        }

        // Without pointers the highest complete step counts.
        File.Delete(Path.Combine(Place, "checkpoints", "latest.json"));
        RunFolder.FindLatest(Place)!.ShouldEndWith("step-000002");

        // Killed between the rename and the removal of what was replaced.
        string replaced = Killed(2);
        Directory.CreateDirectory(Path.Combine(replaced, "old"));
        using (var run = RunFolder.Open(Place)) Check(run.LatestCheckpoint!, 2);
        Directory.Exists(replaced).ShouldBeFalse();

        string Killed(int step)
        {
            string working = Path.Combine(Place, "checkpoints", $".step-{step:000000}.{Guid.NewGuid():N}.wisca-partial");
            Directory.CreateDirectory(working);
            File.WriteAllText(Path.Combine(working, "lock"), "");
            return working;
        }
    }

    [Fact]
    public void Open_Twice_IsRefusedUntilTheFirstIsDone()
    {
        using (RunFolder.Open(Place))
            Should.Throw<WiscaException>(() => RunFolder.Open(Place)).Message.ShouldContain("is in use by another run");
        using (RunFolder.Open(Place)) { }
    }

    [Fact]
    public void Open_AFile_IsRefused()
    {
        File.WriteAllText(Place, "");
        Should.Throw<WiscaException>(() => RunFolder.Open(Place)).Message.ShouldContain("is a file");
        Should.Throw<WiscaException>(() => RunFolder.Open(Path.Combine(Place, "below"))).Message.ShouldContain("cannot be written");
    }

    [Fact]
    public void FindLatest_NothingThere_IsNull()
    {
        RunFolder.FindLatest(Place).ShouldBeNull();
        RunFolder.FindBest(Place).ShouldBeNull();
    }

    [Fact]
    public void Save_KilledAtAnyTime_LosesNoEarlierCheckpoint()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the child's path is that of Unix");
        var random = new Random(1);
        for (int round = 0; round < 3; round++)
        {
            long before = StepOf(RunFolder.FindLatest(Place));
            using var child = Process.Start(
                new ProcessStartInfo(
                    Path.ChangeExtension(typeof(RunFolderTests).Assembly.Location, null),
                    ["--filter-method", $"*{nameof(Child_WritesCheckpointsForEver)}"])
                {
                    Environment = { [ChildFolder] = Place },
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!;
            var clock = Stopwatch.StartNew();
            while (StepOf(RunFolder.FindLatest(Place)) < before + 3)
            {
                child.HasExited.ShouldBeFalse("the child ended by itself");
                clock.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(2));
                Thread.Sleep(5);
            }

            Thread.Sleep(random.Next(30));
            long seen = StepOf(RunFolder.FindLatest(Place));
            child.Kill();
            child.WaitForExit();
            using var run = RunFolder.Open(Place);
            StepOf(run.LatestCheckpoint).ShouldBeGreaterThanOrEqualTo(seen);
            Check(run.LatestCheckpoint!, (int)StepOf(run.LatestCheckpoint));
            Names().ShouldAllBe(name => name[0] != '.');
        }
    }

    /// <summary>Not a test: what the test before runs in a process of its own.</summary>
    [Fact]
    public void Child_WritesCheckpointsForEver()
    {
        if (Environment.GetEnvironmentVariable(ChildFolder) is not { } place) return;
        using var run = RunFolder.Open(place);
        for (long step = StepOf(run.LatestCheckpoint) + 1; ; step++) run.Save(step, 1, Options, Writer((int)step));
    }

    [Fact]
    public void TrainingState_SavedAndLoaded_IsTheSame()
    {
        Directory.CreateDirectory(Place);
        var state = State(7) with { AverageLoss = 0.1, BestLoss = 1e-300, BestStep = 3 };
        state.Save(Place);
        var read = TrainingState.Load(Place);
        read.Versions.ShouldBe(state.Versions);
        (read with { Versions = state.Versions }).ShouldBe(state);
    }

    [Theory]
    [InlineData("\"step\": 7", "\"step\": -1", "the count -1")]
    [InlineData("\"step\": 7", "\"step\": 7.5", "state.json: ")]
    [InlineData("\"step\": 7", "\"steps\": 7", "state.json: ")]
    [InlineData("\"step\": 7,", "", "state.json: ")]
    [InlineData("\"step\": 7", "\"step\": 7, \"step\": 7", "state.json: ")]
    [InlineData("\"version\": 1", "\"version\": 2", "version 2")]
    [InlineData("\"config_hash\": \"00\"", "\"config_hash\": null", "state.json: ")]
    public void TrainingState_Broken_IsRefused(string good, string bad, string expected)
    {
        State(7).Save(Place);
        string path = Path.Combine(Place, RunLayout.State), text = File.ReadAllText(path);
        text.ShouldContain(good);
        File.WriteAllText(path, text.Replace(good, bad, StringComparison.Ordinal));
        Should.Throw<WiscaException>(() => TrainingState.Load(Place)).Message.ShouldContain(expected);
    }

    [Fact]
    public void TrainingState_Missing_IsRefused() =>
        Should.Throw<WiscaException>(() => TrainingState.Load(Place)).Message.ShouldContain("does not exist");

    private static TrainingState State(int step) =>
        new(
            TrainingState.CurrentVersion, step, step * 16, step * 4096, 1.5, null, null, null, 100, "00", 1,
            new Dictionary<string, string> { ["wisca"] = "0.1.0" });

    /// <summary>Writes a checkpoint that shows by its content whether it is whole.</summary>
    private static Action<string> Writer(int content) => staging =>
    {
        for (int file = 0; file < 8; file++)
            File.WriteAllText(Path.Combine(staging, $"file-{file}"), string.Concat(Enumerable.Repeat($"{content}\n", 200)));
        State(content).Save(staging);
        File.WriteAllText(Path.Combine(staging, "training", "last"), $"{content}");
    };

    private static void Check(string checkpoint, int content)
    {
        for (int file = 0; file < 8; file++)
            File.ReadAllText(Path.Combine(checkpoint, $"file-{file}")).ShouldBe(string.Concat(Enumerable.Repeat($"{content}\n", 200)));
        TrainingState.Load(checkpoint).Step.ShouldBe(content);
        File.ReadAllText(Path.Combine(checkpoint, "training", "last")).ShouldBe($"{content}");
        Directory.EnumerateFileSystemEntries(checkpoint, "*", SearchOption.AllDirectories).Count().ShouldBe(11);
    }

    private static long StepOf(string? checkpoint) => checkpoint is null ? 0 : long.Parse(Path.GetFileName(checkpoint).Split('-')[1]);

    private string[] Names() =>
        [
            .. Directory
                .EnumerateFileSystemEntries(Path.Combine(Place, "checkpoints"))
                .Select(path => Path.GetFileName(path))
                .Order(StringComparer.Ordinal),
        ];
}

using Wisca.Checkpoints;
using Wisca.Core.Tests.Files;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Rescaling;

public sealed class OutputFolderTests : IDisposable
{
    private static readonly RescaleOptions Exact = new() { Threads = 1 };
    private static readonly RescaleOptions PowersOfTwo = Exact with { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) };
    private readonly TemporaryFolder _folder = new();

    public OutputFolderTests() => new SmallLlama { Shards = 2 }.Write(_folder["model"]);

    public void Dispose() => _folder.Dispose();

    /// <summary>Of the same length, so that no read fails: a mixture of two models would come out.</summary>
    [Fact]
    public void Rescale_InputWrittenMeanwhile_LeavesNoOutput()
    {
        void Touch(RescaleProgress progress)
        {
            foreach (string shard in Directory.GetFiles(_folder["model"], "*.safetensors"))
                File.SetLastWriteTimeUtc(shard, DateTime.UtcNow.AddHours(1));
        }

        Should.Throw<WiscaException>(() => Rescale(_folder["out"], progress: Touch))
            .Message.ShouldEndWith(".safetensors was changed while it was read");
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBe([_folder["model"]]);
    }

    [Theory]
    [InlineData("model", "is the input folder itself")]
    [InlineData("model/", "is the input folder itself")]
    [InlineData("model//", "is the input folder itself")]
    [InlineData("./x/../model", "is the input folder itself")]
    [InlineData("link-to-model", "is the input folder itself")]
    [InlineData("link-to-link", "is the input folder itself")]
    [InlineData("link-to-root/model", "is the input folder itself")]
    [InlineData("model/out", "lies inside the input folder")]
    [InlineData("model/out/", "lies inside the input folder")]
    [InlineData("link-to-model/out", "lies inside the input folder")]
    [InlineData("link-to-root/model/a/b", "lies inside the input folder")]
    [InlineData("", "contains the input folder")]
    [InlineData("..", "contains the input folder")]
    [InlineData("link-to-root", "contains the input folder")]
    [InlineData("file", "is a file")]
    [InlineData("link-to-file", "is a file")]
    [InlineData("broken", "is a link to nothing")]
    [InlineData("loop", "is a link to nothing")]
    [InlineData("missing/out", "the folder of output ")]
    [InlineData("file/out", "the folder of output ")]
    [InlineData("broken/out", "the folder of output ")]
    public void Rescale_PlaceThatIsNotAllowed_IsRefused(string output, string expected)
    {
        Link("link-to-model", "model");
        Link("link-to-link", "link-to-model");
        Link("link-to-root", ".");
        Link("link-to-file", "file");
        Link("broken", "nowhere");
        Link("loop", "loop");
        File.WriteAllText(_folder["file"], "x");
        string path = Path.Combine(_folder.FullPath, output);
        foreach (string input in (string[])["model", "link-to-model", "link-to-root/model/"])
        {
            foreach (bool force in (bool[])[false, true])
            {
                var exception = Should.Throw<WiscaException>(() => Rescale(path, force, input: Path.Combine(_folder.FullPath, input)));
                exception.Message.ShouldContain(expected);
                exception.Message.ShouldContain(path);
            }
        }

        Names().ShouldBe(["broken", "file", "link-to-file", "link-to-link", "link-to-model", "link-to-root", "loop", "model"]);
        FileNames("model")
            .ShouldBe([
                "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
            ]);
    }

    [Fact]
    public void Rescale_EmptyPath_IsRefused() =>
        Should.Throw<WiscaException>(() => Rescale(" ")).Message.ShouldBe("the output's path is empty");

    [Fact]
    public void Rescale_PlaceBesideTheInputWithTheSameBeginning_IsAllowed()
    {
        Rescale(_folder["model-2"]);
        Rescale(_folder["mode"]);
        Names().ShouldBe(["mode", "model", "model-2"]);
    }

    [Fact]
    public void Rescale_EmptyFolder_IsFilledWithoutForce()
    {
        Directory.CreateDirectory(_folder["out"]);
        Rescale(_folder["out"]);
        Names().ShouldBe(["model", "out"]);
        Whole("out");
    }

    [Fact]
    public void Rescale_LinkToAFolder_WritesWhereItLeads()
    {
        Directory.CreateDirectory(_folder["elsewhere"]);
        Link("out", "elsewhere");
        Rescale(_folder["out"]);
        Names().ShouldBe(["elsewhere", "model", "out"]);
        Whole("elsewhere");
        new DirectoryInfo(_folder["out"]).LinkTarget.ShouldBe("elsewhere");
    }

    [Fact]
    public void Rescale_ExistingOutput_NeedsForce()
    {
        Rescale(_folder["out"]);
        byte[] before = Weights("out");
        Should
            .Throw<WiscaException>(() => Rescale(_folder["out"], options: PowersOfTwo))
            .Message.ShouldBe($"output {_folder["out"]} exists");
        Weights("out").ShouldBe(before);
        Rescale(_folder["out"], force: true, options: PowersOfTwo);
        Weights("out").ShouldNotBe(before);
        Whole("out");
        Names().ShouldBe(["model", "out"]);
    }

    [Fact]
    public void Force_FolderThatWiscaDidNotWrite_IsNotReplaced()
    {
        new SmallLlama { Seed = 9 }.Write(_folder["out"]);
        byte[] before = File.ReadAllBytes(_folder["out", TestCheckpoint.Weights]);
        Should
            .Throw<WiscaException>(() => Rescale(_folder["out"], force: true))
            .Message.ShouldContain("is not from wisca (it has no wisca.json), so --force does not replace it");
        File.ReadAllBytes(_folder["out", TestCheckpoint.Weights]).ShouldBe(before);
    }

    [Fact]
    public void Force_FolderThatWasWorkedIn_IsNotReplaced()
    {
        (string What, Action Work)[] works =
        [
            ("notes.txt is not from wisca", () => File.WriteAllText(_folder["out", "notes.txt"], "mine")),
            (
                "notes.txt is not from wisca",
                () => File.WriteAllText(Path.Combine(Directory.CreateDirectory(_folder["out", "sub"]).FullName, "notes.txt"), "mine")),
            ("config.json has changed since wisca wrote it", () => File.AppendAllText(_folder["out", "config.json"], "\n")),
            ("config.json has changed since wisca wrote it", () => Rewrite("config.json", bytes => bytes[^1] = (byte)' ')),

            // An embedding that was trained: no digest of it is kept, and the file's length is the same.
            (
                "model-00001-of-00002.safetensors has changed since wisca wrote it",
                () => Rewrite("model-00001-of-00002.safetensors", bytes => bytes[^1] ^= 1)),
            ("wisca.json", () => File.WriteAllText(_folder["out", "wisca.json"], "{}")),
            ("tensor 'model.layers.1.self_attn.o_proj.weight' in", () =>
            {
                // The time of the last change put back: the digest of a scaled tensor still tells.
                var time = File.GetLastWriteTimeUtc(_folder["out", "model-00002-of-00002.safetensors"]);
                Rewrite("model-00002-of-00002.safetensors", bytes => bytes[^200] ^= 1);
                File.SetLastWriteTimeUtc(_folder["out", "model-00002-of-00002.safetensors"], time);
            }),
        ];
        foreach (var (what, work) in works)
        {
            Rescale(_folder["out"]);
            Thread.Sleep(20);
            work();
            var before = Snapshot("out");
            Should.Throw<WiscaException>(() => Rescale(_folder["out"], force: true, options: PowersOfTwo)).Message.ShouldContain(what);
            Snapshot("out").ShouldBe(before);
            Names().ShouldBe(["model", "out"]);
            Directory.Delete(_folder["out"], recursive: true);
        }
    }

    [Fact]
    public void Force_OutputOfUndo_IsReplacedUnlessTrained()
    {
        Rescale(_folder["out"]);
        Undo("out", "back");
        Undo("out", "back", force: true);
        Thread.Sleep(20);
        byte[] bytes = File.ReadAllBytes(_folder["back", "model-00001-of-00002.safetensors"]);
        bytes[^1] ^= 1;
        File.WriteAllBytes(_folder["back", "model-00001-of-00002.safetensors"], bytes);
        Should.Throw<WiscaException>(() => Undo("out", "back", force: true)).Message.ShouldContain("has changed since");
    }

    [Fact]
    public void Force_InputThatLinksIntoTheOutput_IsRefused()
    {
        Rescale(_folder["out"]);
        Directory.CreateDirectory(_folder["linked"]);
        foreach (string name in FileNames("out").Where(name => name != "wisca.json"))
            File.CreateSymbolicLink(_folder["linked", name], Path.Combine("..", "out", name));
        var before = Snapshot("out");
        Should.Throw<WiscaException>(() => Rescale(_folder["out"], force: true, input: _folder["linked"])).Message
            .ShouldBe($"output {_folder["out"]} contains what the input's model-00001-of-00002.safetensors links to");
        Snapshot("out").ShouldBe(before);
    }

    [Fact]
    public void Cancel_AtAnyMoment_LeavesNothing()
    {
        int moments = 0;
        Rescale(_folder["whole"], progress: _ => moments++);
        moments.ShouldBeGreaterThan(20);
        for (int moment = 0; moment <= moments; moment++)
        {
            using var source = new CancellationTokenSource();
            int seen = 0;
            if (moment == 0) source.Cancel();
            Should.Throw<OperationCanceledException>(() =>
                Rescale(_folder["out"], progress: _ => Cancel(ref seen), cancellation: source.Token));
            Names().ShouldBe(["model", "whole"]);

            void Cancel(ref int seen)
            {
                if (++seen == moment) source.Cancel();
            }
        }
    }

    [Fact]
    public void Cancel_WithForce_KeepsTheOldFolder()
    {
        Rescale(_folder["out"]);
        var before = Snapshot("out");
        foreach (double share in (double[])[0, 0.5, 1])
        {
            using var source = new CancellationTokenSource();
            Should.Throw<OperationCanceledException>(() =>
                Rescale(
                    _folder["out"], force: true, options: PowersOfTwo, progress: step => CancelAt(step, share, source),
                    cancellation: source.Token));
            Snapshot("out").ShouldBe(before);
            Names().ShouldBe(["model", "out"]);

            // The old one stands all the while.
            Should.Throw<InvalidOperationException>(() => Rescale(_folder["out"], force: true, progress: step =>
            {
                Snapshot("out").ShouldBe(before);
                if (step.Done >= share * step.Total) throw new InvalidOperationException("something failed");
            }));
            Names().ShouldBe(["model", "out"]);
        }

        static void CancelAt(RescaleProgress step, double share, CancellationTokenSource source)
        {
            if (step.Done >= share * step.Total) source.Cancel();
        }
    }

    [Fact]
    public void Commit_SomethingCameToBeInThePlace_IsNotReplaced()
    {
        bool made = false;
        Should
            .Throw<WiscaException>(() => Rescale(_folder["out"], progress: step => Make()))
            .Message.ShouldBe($"output {_folder["out"]} exists");
        Directory.EnumerateFileSystemEntries(_folder["out"]).Select(Path.GetFileName).ShouldBe(["mine.txt"]);
        Names().ShouldBe(["model", "out"]);

        // The same with --force and a folder that was wisca's when the run began.
        Directory.Delete(_folder["out"], recursive: true);
        Rescale(_folder["out"]);
        made = false;
        Should
            .Throw<WiscaException>(() => Rescale(_folder["out"], force: true, options: PowersOfTwo, progress: step => Make()))
            .Message.ShouldContain("mine.txt is not from wisca");
        File.Exists(_folder["out", "mine.txt"]).ShouldBeTrue();
        Names().ShouldBe(["model", "out"]);

        void Make()
        {
            if (made) return;
            made = true;
            Directory.CreateDirectory(_folder["out"]);
            File.WriteAllText(_folder["out", "mine.txt"], "mine");
        }
    }

    [Fact]
    public async Task Rescale_SeveralAtOnceToOnePlace_LeaveOneWholeFolder()
    {
        for (int round = 0; round < 5; round++)
        {
            bool force = round > 0;
            var runs = Enumerable.Range(0, 4).Select(run => Task.Run(() =>
            {
                try
                {
                    Rescale(_folder["out"], force, run % 2 == 0 ? Exact : PowersOfTwo);
                    return true;
                }
                catch (WiscaException)
                {
                    return false;
                }
            })).ToArray();
            (await Task.WhenAll(runs)).Count(succeeded => succeeded).ShouldBeGreaterThanOrEqualTo(1);
            Whole("out");
            Names().ShouldBe(["model", "out"]);
        }
    }

    [Fact]
    public void Prepare_TooLittleSpace_IsRefusedBeforeAnythingIsWritten()
    {
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        long needed = Directory.EnumerateFiles(_folder["model"]).Sum(path => new FileInfo(path).Length);
        string? asked = null;
        var exception = Should.Throw<WiscaException>(() => OutputFolder.Prepare(_folder["out"], checkpoint, false, parent =>
        {
            asked = parent;
            return needed;
        }));
        exception.Message.ShouldBe($"output {_folder["out"]} needs 0.02 GB, but its disk has 0.00 GB free");
        asked.ShouldBe(_folder.FullPath);
        Names().ShouldBe(["model"]);

        // Room for the files and the reserve is enough.
        using var prepared = OutputFolder.Prepare(_folder["out"], checkpoint, false, _ => needed + (16 << 20));
        Directory.Exists(prepared.Staging).ShouldBeTrue();
    }

    [Fact]
    public void Prepare_LeftoversOfKilledRuns_AreClearedAndNothingElse()
    {
        string id = "0123456789abcdef0123456789abcdef";
        string Working(string name) => Directory.CreateDirectory(_folder[name]).FullName;
        void Lock(string folder) => File.WriteAllText(Path.Combine(folder, "lock"), "");
        Lock(Working($".out.{id}.wisca-partial"));
        File.WriteAllText(Path.Combine(Working($".out.{id}.wisca-partial/new"), "config.json"), "{}");
        string alive = Working($".out.1{id[1..]}.wisca-partial");
        using var held = new FileStream(Path.Combine(alive, "lock"), FileMode.CreateNew, FileAccess.Write, FileShare.None);
        File.WriteAllText(Path.Combine(Working($".out.2{id[1..]}.wisca-partial"), "mine.txt"), "without a lock");
        Working($".out.3{id[1..]}.wisca-partial");
        Lock(Working($".out.v2.{id}.wisca-partial"));
        Lock(Working($".output.{id}.wisca-partial"));
        Lock(Working(".out.mine.wisca-partial"));
        Rescale(_folder["out"]);
        Names()
            .ShouldBe([
                $".out.1{id[1..]}.wisca-partial", $".out.2{id[1..]}.wisca-partial", ".out.mine.wisca-partial",
                $".out.v2.{id}.wisca-partial", $".output.{id}.wisca-partial", "model", "out",
            ]);
    }

    [Fact]
    public void Commit_SystemThatCannotExchange_ReplacesInTwoSteps()
    {
        Rescale(_folder["out"]);
        using (var checkpoint = Checkpoint.Open(_folder["model"]))
        {
            using var folder = OutputFolder.Prepare(
                _folder["out"], checkpoint, true, null, new RecordingDisk(_folder.FullPath, exchanges: false));
            File.WriteAllText(Path.Combine(folder.Staging, "a"), "new");
            folder.Commit(() => File.WriteAllText(Path.Combine(folder.Staging, "b"), "last"));
        }

        FileNames("out").ShouldBe(["a", "b"]);
        Names().ShouldBe(["model", "out"]);
    }

    [Fact]
    public void Prepare_KilledBetweenTheTwoSteps_PutsTheOldFolderBack()
    {
        Rescale(_folder["out"]);
        var before = Snapshot("out");
        string working = Directory.CreateDirectory(_folder[".out.0123456789abcdef0123456789abcdef.wisca-partial"]).FullName;
        File.WriteAllText(Path.Combine(working, "lock"), "");
        Directory.Move(_folder["out"], Path.Combine(working, "old"));
        Should.Throw<WiscaException>(() => Rescale(_folder["out"])).Message.ShouldEndWith("exists");
        Snapshot("out").ShouldBe(before);
        Names().ShouldBe(["model", "out"]);
    }

    [Fact]
    public void Dispose_WithoutCommit_LeavesNothing()
    {
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        using (var folder = OutputFolder.Prepare(_folder["out"], checkpoint, false))
        {
            File.WriteAllText(Path.Combine(folder.Staging, "a"), "x");
            Names().Length.ShouldBe(2);
            Should
                .Throw<WiscaException>(() => folder.Commit(() => throw new IOException("disk full")))
                .Message.ShouldBe($"output {_folder["out"]} cannot be written: disk full");
        }

        Names().ShouldBe(["model"]);
    }

    [Fact]
    public void DryRun_WritesNothing()
    {
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        Rescaler.DryRun(checkpoint, Exact).Ledger.ShouldBeNull();
        Names().ShouldBe(["model"]);
    }

    private void Rescale(
        string output, bool force = false, RescaleOptions? options = null, Action<RescaleProgress>? progress = null, string? input = null,
        CancellationToken cancellation = default)
    {
        using var checkpoint = Checkpoint.Open(input ?? _folder["model"]);
        Rescaler.Rescale(checkpoint, output, options ?? Exact, force, null, progress is null ? null : new Report(progress), cancellation);
    }

    private void Undo(string from, string to, bool force = false)
    {
        using var checkpoint = Checkpoint.Open(_folder[from]);
        Undoer.Undo(checkpoint, _folder[to], force);
    }

    private void Link(string name, string target) => File.CreateSymbolicLink(_folder[name], target);

    private void Rewrite(string name, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(_folder["out", name]);
        change(bytes);
        File.WriteAllBytes(_folder["out", name], bytes);
    }

    private string[] Names() =>
        [.. Directory.EnumerateFileSystemEntries(_folder.FullPath).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private string[] FileNames(string name) =>
        [.. Directory.EnumerateFileSystemEntries(_folder[name]).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private byte[] Weights(string name) =>
        [.. Directory.EnumerateFiles(_folder[name], "*.safetensors").Order(StringComparer.Ordinal).SelectMany(File.ReadAllBytes)];

    private string[] Snapshot(string name) =>
        [
            .. Directory
                .EnumerateFiles(_folder[name], "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(path => $"{path} {Convert.ToHexString(File.ReadAllBytes(path))}"),
        ];

    /// <summary>A model that opens, with its ledger, whose digests agree with the weights.</summary>
    private void Whole(string name)
    {
        using var checkpoint = Checkpoint.Open(_folder[name]);
        var ledger = Ledger.Load(_folder[name])!;
        foreach (var (tensor, digests) in ledger.LatestDigests()) Ledger.Digest(checkpoint.Find(tensor)!).ShouldBe(digests.After);
        FileNames(name).ShouldBe([.. ledger.Files.Select(file => file.Name).Append("wisca.json").Order(StringComparer.Ordinal)]);
        checkpoint.Tensors.All(tensor => tensor.Info.Dtype == Dtype.F32).ShouldBeTrue();
    }

    private sealed class Report(Action<RescaleProgress> report) : IProgress<RescaleProgress>
    {
        void IProgress<RescaleProgress>.Report(RescaleProgress value) => report(value);
    }
}

using System.Text;
using System.Text.Json.Nodes;
using Wisca.Files;
using Wisca.Tests;

namespace Wisca.Core.Tests.Files;

public sealed class AtomicFileTests : IDisposable
{
    private const string Id = "0123456789abcdef0123456789abcdef";
    private readonly TemporaryFolder _folder = new();

    private string Place => _folder["out.json"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Commit_NewFile_AppearsOnlyThen()
    {
        using (var file = AtomicFile.Create(Place))
        {
            file.Stream.Write("whole"u8);
            File.Exists(Place).ShouldBeFalse();
            Names().Single().ShouldMatch(@"^\.out\.json\.[0-9a-f]{32}\.wisca-partial$");
            file.Commit();
            File.ReadAllText(Place).ShouldBe("whole");
        }

        Names().ShouldBe(["out.json"]);
    }

    /// <summary>The file before its name, the name before anything after the commit: dropping or moving a flush is seen here.</summary>
    [Fact]
    public void Commit_FlushesTheFileBeforeItsNameAndThenTheFolder()
    {
        var disk = new RecordingDisk(_folder.FullPath);
        disk.Before = step =>
        {
            // What is flushed is all that was written, and what is renamed has been flushed.
            if (step == "flush .out.json~") File.Exists(Place).ShouldBeFalse();
            if (step.StartsWith("move", StringComparison.Ordinal))
                new FileInfo(_folder[$".out.json.{RecordingDisk.FirstId}.wisca-partial"]).Length.ShouldBe(5);
            if (step == "flush ./") File.ReadAllText(Place).ShouldBe("whole");
        };
        using (var file = AtomicFile.CreateOn(disk, Place, replace: true))
        {
            file.Stream.Write("whole"u8);
            file.Commit();
        }

        disk.Steps.ShouldBe(["flush .out.json~", "move .out.json~ -> out.json", "flush ./"]);
    }

    [Theory]
    [InlineData("flush .out.json~")]
    [InlineData("move .out.json~ -> out.json")]
    public void Commit_FailingOnTheWay_LeavesWhatWasThere(string failing)
    {
        File.WriteAllText(Place, "old");
        var disk = new RecordingDisk(_folder.FullPath);
        disk.Before = step =>
        {
            if (step == failing) throw new IOException("no space left on the device");
        };
        using (var file = AtomicFile.CreateOn(disk, Place, replace: true))
        {
            file.Stream.Write("new"u8);
            Should.Throw<IOException>(file.Commit).Message.ShouldBe("no space left on the device");
        }

        File.ReadAllText(Place).ShouldBe("old");
        Names().ShouldBe(["out.json"]);
    }

    /// <summary>Whatever step a kill makes the last one: the old pair is there, the new one, or a part of one of them.</summary>
    [Fact]
    public void CommitTogether_StoppedAnywhere_NeverLeavesOldBesideNew()
    {
        int steps = 0;
        for (int last = 0; last == 0 || last <= steps; last++)
        {
            File.WriteAllText(_folder["held"], "old");
            File.WriteAllText(_folder["rest"], "old");
            var disk = new RecordingDisk(_folder.FullPath);
            disk.Before = _ =>
            {
                ShouldBeOfOneRun();
                if (disk.Steps.Count == last) throw new IOException("the end");
            };
            using (var held = AtomicFile.CreateOn(disk, _folder["held"], replace: true))
            using (var rest = AtomicFile.CreateOn(disk, _folder["rest"], replace: true))
            {
                held.Stream.Write("new"u8);
                rest.Stream.Write("new"u8);
                try
                {
                    AtomicFile.CommitTogether(held, rest);
                    steps = disk.Steps.Count;
                    break;
                }
                catch (IOException)
                {
                    steps = last + 1;
                }
            }

            ShouldBeOfOneRun();
        }

        File.ReadAllText(_folder["rest"]).ShouldBe("new");
        steps.ShouldBe(12);

        void ShouldBeOfOneRun()
        {
            string[] there = [.. ((string[])["held", "rest"]).Select(name => _folder[name]).Where(File.Exists).Select(File.ReadAllText)];
            there.Distinct().Count().ShouldBeLessThan(2);

            // What is held out alone is seen to be a part; the rest alone would look whole.
            if (File.Exists(_folder["rest"])) there.Length.ShouldBe(2);
        }
    }

    [Fact]
    public void CommitTogether_OldOnesGoFirstAndForGood()
    {
        File.WriteAllText(_folder["a"], "old");
        File.WriteAllText(_folder["b"], "old");
        var disk = new RecordingDisk(_folder.FullPath);
        using (var a = AtomicFile.CreateOn(disk, _folder["a"], replace: true))
        using (var b = AtomicFile.CreateOn(disk, _folder["b"], replace: true))
            AtomicFile.CommitTogether(a, b);
        string[] steps = [.. disk.Steps.Select(step => step.Replace($".{2:x32}.wisca-partial", "~", StringComparison.Ordinal))];
        steps.ShouldBe([
            "flush .a~", "flush .b~", "delete b", "flush ./", "delete a", "flush ./", "flush .a~", "move .a~ -> a", "flush ./", "flush .b~",
            "move .b~ -> b", "flush ./",
        ]);
    }

    /// <summary>What is appended to is not renamed: its bytes and its name are flushed where it lies.</summary>
    [Fact]
    public async Task Flush_AppendedFile_FlushesItAndThenItsFolder()
    {
        var disk = new RecordingDisk(_folder.FullPath);
        await using var stream = File.Create(_folder["metrics"]);
        stream.Write("line"u8);
        await Task.Run(() =>
        {
            // For this task alone.
            Disk.Default = disk;
            AtomicFile.Flush(stream);
        });
        disk.Steps.ShouldBe(["flush metrics", "flush ./"]);
    }

    [Fact]
    public void Dispose_AfterAnExceptionInside_LeavesWhatWasThere()
    {
        File.WriteAllText(Place, "old");
        Should.Throw<InvalidOperationException>(() =>
        {
            using var file = AtomicFile.Create(Place);
            file.Stream.Write(new byte[1 << 20]);
            throw new InvalidOperationException();
        });
        File.ReadAllText(Place).ShouldBe("old");
        Names().ShouldBe(["out.json"]);
    }

    [Fact]
    public void Write_BytesAndText_ReplaceTheFileAndNothingElse()
    {
        AtomicFile.Write(Place, [1, 2, 3]);
        File.ReadAllBytes(Place).ShouldBe([1, 2, 3]);
        AtomicFile.Write(Place, "ä\n");
        File.ReadAllBytes(Place).ShouldBe(Encoding.UTF8.GetBytes("ä\n"));
        Names().ShouldBe(["out.json"]);
        Should.Throw<DirectoryNotFoundException>(() => AtomicFile.Write(_folder["none", "out.json"], ""));
        Directory.CreateDirectory(_folder["taken"]);
        Should.Throw<Exception>(() => AtomicFile.Write(_folder["taken"], "")).ShouldBeAssignableTo<SystemException>();
        Names().ShouldBe(["out.json", "taken"]);
    }

    [Fact]
    public void Create_WithoutReplace_RefusesAtOnceAndAtTheEnd()
    {
        using (var file = AtomicFile.Create(Place, replace: false))
        {
            file.Stream.Write("late"u8);
            File.WriteAllText(Place, "meanwhile");
            Should.Throw<IOException>(file.Commit);
        }

        Should.Throw<IOException>(() => AtomicFile.Create(Place, replace: false)).Message.ShouldBe($"{Place} exists");
        File.ReadAllText(Place).ShouldBe("meanwhile");
        Names().ShouldBe(["out.json"]);
    }

    [Fact]
    public void Create_LeftoversOfKilledWriters_AreClearedAndNothingElse()
    {
        string[] others =
        [
            $".out.json.v2.{Id}.wisca-partial", $".out.{Id}.wisca-partial", ".out.json.mine.wisca-partial", $"out.json.{Id}.wisca-partial",
            $".out.json.{Id}.partial",
        ];
        foreach (string name in (string[])[$".out.json.{Id}.wisca-partial", $".out.json.1{Id[1..]}.wisca-partial", .. others])
            File.WriteAllText(_folder[name], "half");
        Directory.CreateDirectory(_folder[$".out.json.2{Id[1..]}.wisca-partial"]);
        AtomicFile.Write(Place, "whole");
        Names().ShouldBe(
            [.. ((string[])[.. others, $".out.json.2{Id[1..]}.wisca-partial", "out.json"]).Order(StringComparer.Ordinal)]);
    }

    [Fact]
    public void Create_WhileAnotherWriterIsAlive_LeavesItAlone()
    {
        using var first = AtomicFile.Create(Place);
        first.Stream.Write("first"u8);
        AtomicFile.Write(Place, "second");
        Names().Length.ShouldBe(2);
        first.Commit();
        File.ReadAllText(Place).ShouldBe("first");
    }

    /// <summary>Between the flush and the rename too, where the file is complete but has not its name.</summary>
    [Fact]
    public void Create_WhileAnotherWriterRenames_LeavesItAlone()
    {
        var disk = new RecordingDisk(_folder.FullPath);
        disk.Before = step =>
        {
            if (step.StartsWith("move", StringComparison.Ordinal)) AtomicFile.Write(Place, "second");
        };
        using var first = AtomicFile.CreateOn(disk, Place, replace: true);
        first.Stream.Write("first"u8);
        first.Commit();
        File.ReadAllText(Place).ShouldBe("first");
        Names().ShouldBe(["out.json"]);
    }

    [Fact]
    public void Create_ManyWritersAtOnce_LeaveOneWholeFile()
    {
        string Content(int writer) => string.Concat(Enumerable.Repeat($"{writer}\n", 1000));
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, writer =>
        {
            AtomicFile.Write(Place, Content(writer));

            // Readers find a whole file at any time.
            string read = File.ReadAllText(Place);
            read.ShouldBe(Content(int.Parse(read[..read.IndexOf('\n')])));
        });
        Names().ShouldBe(["out.json"]);
    }

    [Fact]
    public void Create_LinkAtTheWorkingName_IsNotFollowed()
    {
        File.WriteAllText(_folder["victim"], "untouched");
        string planted = $".out.json.{RecordingDisk.FirstId}.wisca-partial";
        File.CreateSymbolicLink(_folder[planted], _folder["victim"]);
        using (var file = AtomicFile.CreateOn(new RecordingDisk(_folder.FullPath), Place, replace: true))
        {
            file.Stream.Write("whole"u8);
            file.Commit();
        }

        File.ReadAllText(_folder["victim"]).ShouldBe("untouched");
        new FileInfo(Place).LinkTarget.ShouldBeNull();
        File.ReadAllText(Place).ShouldBe("whole");
        Names().ShouldBe([planted, "out.json", "victim"]);
    }

    [Fact]
    public void Commit_LinkInThePlace_IsReplacedAndItsTargetStays()
    {
        File.WriteAllText(_folder["target"], "untouched");
        File.CreateSymbolicLink(Place, _folder["target"]);
        AtomicFile.Write(Place, "whole");
        new FileInfo(Place).LinkTarget.ShouldBeNull();
        File.ReadAllText(_folder["target"]).ShouldBe("untouched");
    }

    [Fact]
    public void OutputFile_SaysInOneLineWhatIsWrong()
    {
        OutputFile.Check(Place, replace: false);
        Names().ShouldBeEmpty();
        OutputFile.Write(Place, new JsonObject { ["a"] = 1 }, replace: false);
        File.ReadAllText(Place).ShouldBe("{\n  \"a\": 1\n}\n".ReplaceLineEndings());
        Message(Place).ShouldBe($"output {Place} exists");
        Message("").ShouldBe("the output's path is empty");
        Message(_folder.FullPath).ShouldBe($"output {_folder.FullPath} is a folder");
        Message(_folder["none", "out.json"]).ShouldBe($"the folder of output {_folder["none", "out.json"]} does not exist");
        OutputFile.Write(Place, "text", replace: true);
        File.ReadAllText(Place).ShouldBe("text");

        static string Message(string path) => Should.Throw<WiscaException>(() => OutputFile.Check(path, replace: false)).Message;
    }

    private string[] Names() =>
        [.. Directory.EnumerateFileSystemEntries(_folder.FullPath).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}

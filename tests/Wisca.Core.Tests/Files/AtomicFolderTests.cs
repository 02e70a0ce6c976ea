using Wisca.Files;
using Wisca.Tests;

namespace Wisca.Core.Tests.Files;

public sealed class AtomicFolderTests : IDisposable
{
    private const string Id = "0123456789abcdef0123456789abcdef", Working = $".out.{Id}.wisca-partial";
    private readonly TemporaryFolder _folder = new();

    private string Place => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Commit_NewFolder_FlushesAllBeforeItsNameAndThenTheParent()
    {
        var disk = new RecordingDisk(_folder.FullPath);
        disk.Before = step =>
        {
            if (step.StartsWith("flush .out~", StringComparison.Ordinal)) Directory.Exists(Place).ShouldBeFalse();
            if (step == "flush ./") Whole("new");
        };
        using (var folder = AtomicFolder.CreateOn(disk, Place))
        {
            Fill(folder.Staging, "new");
            folder.Commit();
        }

        var move = disk.Steps.IndexOf("move .out~/new/ -> out/");
        disk.Steps[..move].ShouldBe(
            ["flush .out~/new/a", "flush .out~/new/below/b", "flush .out~/new/below/", "flush .out~/new/"], ignoreOrder: true);
        disk.Steps.IndexOf("flush .out~/new/below/").ShouldBeGreaterThan(disk.Steps.IndexOf("flush .out~/new/below/b"));
        disk.Steps[move - 1].ShouldBe("flush .out~/new/");
        disk.Steps[(move + 1)..].ShouldBe(["flush ./", "delete .out~/"]);
        Names().ShouldBe(["out"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Commit_Replacement_RemovesTheOldOneLast(bool exchanges)
    {
        Fill(Place, "old");
        var disk = new RecordingDisk(_folder.FullPath, exchanges);
        using (var folder = AtomicFolder.CreateOn(disk, Place))
        {
            Fill(folder.Staging, "new");
            folder.Commit(() =>
            {
                Whole("old");
                disk.Steps.Add("asked");
            });
            Whole("new");
        }

        var flushed = disk.Steps.IndexOf("flush .out~/new/");
        flushed.ShouldBe(3);
        disk.Steps[(flushed + 1)..].ShouldBe(
            exchanges
                ? ["asked", "exchange .out~/new/ <-> out/", "flush ./", "delete .out~/new/", "delete .out~/"]
                :
                [
                    "asked", "move out/ -> .out~/old/", "move .out~/new/ -> out/", "flush ./", "delete .out~/old/", "delete .out~/",
                ]);
        Whole("new");
        Names().ShouldBe(["out"]);
    }

    [Fact]
    public void Commit_WhatMayNotBeReplaced_Stays()
    {
        Fill(Place, "old");
        using (var folder = AtomicFolder.Create(Place))
        {
            Fill(folder.Staging, "new");
            Should.Throw<IOException>(() => folder.Commit()).Message.ShouldBe($"{Place} exists");
            Should.Throw<WiscaException>(() => folder.Commit(() => throw new WiscaException("mine"))).Message.ShouldBe("mine");
        }

        Whole("old");
        Names().ShouldBe(["out"]);
    }

    /// <summary>The system fails at any step: the place holds the old folder or the new one, whole.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Commit_FailingAtAnyStep_LeavesTheOldOrTheNew(bool exchanges)
    {
        for (int failing = 0; ; failing++)
        {
            if (Directory.Exists(Place)) Directory.Delete(Place, recursive: true);
            Fill(Place, "old");
            int steps = 0;
            bool committed = false, moved = false;
            var disk = new RecordingDisk(_folder.FullPath, exchanges);
            disk.Before = step =>
            {
                // Once only: the step that puts the old folder back is no longer one of the commit.
                if (!step.StartsWith("delete", StringComparison.Ordinal) && steps++ == failing) throw new IOException("failed");
                moved |= step.StartsWith("exchange", StringComparison.Ordinal) || step.EndsWith("-> out/", StringComparison.Ordinal);
            };
            try
            {
                using var folder = AtomicFolder.CreateOn(disk, Place);
                Fill(folder.Staging, "new");
                folder.Commit(() => { });
                committed = true;
            }
            catch (IOException exception) when (exception.Message == "failed")
            {
            }

            Whole(moved && Directory.GetFiles(Place).All(file => File.ReadAllText(file) == "new") ? "new" : "old");
            Names().ShouldBe(["out"]);
            if (!committed) continue;
            Whole("new");
            failing.ShouldBe(exchanges ? 6 : 7);
            return;
        }
    }

    /// <summary>The new folder cannot take the place, nor can the old one go back: it is the only one there is.</summary>
    [Fact]
    public void Commit_OldFolderThatCannotGoBack_IsKeptForTheNextWriter()
    {
        Fill(Place, "old");
        var disk = new RecordingDisk(_folder.FullPath, exchanges: false);
        disk.Before = step =>
        {
            if (step.EndsWith("-> out/", StringComparison.Ordinal)) throw new IOException("failed");
        };
        using (var folder = AtomicFolder.CreateOn(disk, Place))
        {
            Fill(folder.Staging, "new");
            Should.Throw<IOException>(() => folder.Commit(() => { }));
        }

        Directory.Exists(Place).ShouldBeFalse();
        AtomicFolder.RecoverAll(_folder.FullPath);
        Whole("old");
        Names().ShouldBe(["out"]);
    }

    [Fact]
    public void Dispose_AfterAnExceptionInside_LeavesNothing()
    {
        Should.Throw<InvalidOperationException>(() =>
        {
            using var folder = AtomicFolder.Create(Place);
            Fill(folder.Staging, "half");
            throw new InvalidOperationException();
        });
        Names().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("new")]
    [InlineData("old")]
    public void Create_LeftoverOfAKilledWriter_IsCleared(string name)
    {
        // The place holds something: what is old was replaced.
        Fill(Place, "whole");
        Fill(_folder[Working, name], "half");
        File.WriteAllText(_folder[Working, "lock"], "");
        using (AtomicFolder.Create(Place)) Names().Length.ShouldBe(2);
        Names().ShouldBe(["out"]);
        Whole("whole");
    }

    [Fact]
    public void Recover_KilledBetweenTheTwoSteps_PutsTheOldFolderBackAndFlushesIt()
    {
        Fill(_folder[Working, "old"], "old");
        Fill(_folder[Working, "new"], "new");
        File.WriteAllText(_folder[Working, "lock"], "");
        var disk = new RecordingDisk(_folder.FullPath);
        AtomicFolder.RecoverOn(disk, Place);
        Whole("old");
        Names().ShouldBe(["out"]);
        disk.Steps[..3].ShouldBe([$"move {Working}/old/ -> out/", "flush ./", $"delete {Working}/new/"]);
    }

    [Fact]
    public void Create_WhileAnotherWriterIsAlive_LeavesItAlone()
    {
        using var first = AtomicFolder.Create(Place);
        Fill(first.Staging, "first");
        using (var second = AtomicFolder.Create(Place))
        {
            Fill(second.Staging, "second");
            second.Commit();
        }

        AtomicFolder.RecoverAll(_folder.FullPath);
        Whole("second");
        first.Commit(() => { });
        Whole("first");
    }

    [Fact]
    public void RecoverAll_ClearsFilesAndFoldersOfEveryPlace()
    {
        Fill(_folder[$".a.{Id}.wisca-partial", "new"], "half");
        File.WriteAllText(_folder[$".a.{Id}.wisca-partial", "lock"], "");
        File.WriteAllText(_folder[$".b.json.{Id}.wisca-partial"], "half");
        Directory.CreateDirectory(_folder[".mine.wisca-partial"]);
        AtomicFolder.RecoverAll(_folder.FullPath);
        Names().ShouldBe([".mine.wisca-partial"]);
    }

    /// <summary>The name of each folder before what is put into it.</summary>
    [Fact]
    public async Task Ensure_FoldersThatAreMissing_FlushesTheirNamesFromTheTop()
    {
        var disk = new RecordingDisk(_folder.FullPath);
        await Task.Run(() =>
        {
            // For this task alone.
            Disk.Default = disk;
            AtomicFolder.Ensure(_folder["a", "b"]);
            AtomicFolder.Ensure(_folder["a", "b"]);
        });
        Directory.Exists(_folder["a", "b"]).ShouldBeTrue();
        disk.Steps.ShouldBe(["flush ./", "flush a/"]);
    }

    [Fact]
    public void Delete_RemovesAFolderAsOne()
    {
        Fill(Place, "whole");
        AtomicFolder.Delete(Place);
        Names().ShouldBeEmpty();
        Should.Throw<DirectoryNotFoundException>(() => AtomicFolder.Delete(Place));
        Names().ShouldBeEmpty();
    }

    [Fact]
    public void Create_LinkWhereLeftoversLie_IsNotFollowed()
    {
        Fill(_folder["victim"], "untouched");
        File.WriteAllText(_folder["victim", "lock"], "");
        Directory.CreateSymbolicLink(_folder[Working], _folder["victim"]);
        using (AtomicFolder.Create(Place))
        {
        }

        File.ReadAllText(_folder["victim", "a"]).ShouldBe("untouched");
        Names().ShouldBe([Working, "victim"]);
    }

    /// <summary>What a link in it leads to is not the folder's own: it may not even be there.</summary>
    [Fact]
    public void Commit_LinksInside_StayLinks()
    {
        using (var folder = AtomicFolder.Create(Place))
        {
            File.CreateSymbolicLink(Path.Combine(folder.Staging, "file"), _folder["nowhere"]);
            Directory.CreateSymbolicLink(Path.Combine(folder.Staging, "up"), folder.Staging);
            folder.Commit();
        }

        new FileInfo(_folder["out", "file"]).LinkTarget.ShouldBe(_folder["nowhere"]);
    }

    private static void Fill(string folder, string content)
    {
        Directory.CreateDirectory(Path.Combine(folder, "below"));
        File.WriteAllText(Path.Combine(folder, "a"), content);
        File.WriteAllText(Path.Combine(folder, "below", "b"), content);
    }

    private void Whole(string content)
    {
        Directory.GetFiles(Place, "*", SearchOption.AllDirectories).Length.ShouldBe(2);
        File.ReadAllText(Path.Combine(Place, "a")).ShouldBe(content);
        File.ReadAllText(Path.Combine(Place, "below", "b")).ShouldBe(content);
    }

    private string[] Names() =>
        [.. Directory.EnumerateFileSystemEntries(_folder.FullPath).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}

using System.Text.Json.Nodes;
using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Comparison.Tests.Reports;
using Wisca.Files;
using Wisca.Tests;

namespace Wisca.Comparison.Tests.Studies;

/// <summary>Results that others made: copied into a study's folder, or merged from theirs.</summary>
public sealed class ForeignResultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, Action<JsonObject>, string> Faults => new()
    {
        { "no evaluation", result => result["held_out"] = new JsonArray(), "held_out is empty" },
        { "a null evaluation", result => result["held_out"]!.AsArray().Add(null), "held_out holds null" },
        { "a null loss", result => result["training_loss"]!.AsArray().Insert(0, null), "training_loss holds null" },
        { "a null series", result => result["norms"]!.AsArray().Add(null), "norms holds null" },
        { "a null score", result => result["scores"] = new JsonObject { ["arc"] = null }, "scores holds null" },
        { "no list", result => result["held_out"] = null, "held_out" },
        { "a loss that is none", result => Last(result)["test"] = "NaN", "not finite" },
        { "steps beyond the run", result => Last(result)["step"] = 1 << 20, "held_out: its steps" },
        { "negative time", result => result["seconds"] = -1, "seconds is -1" },
        { "infinite time", result => result["seconds"] = "Infinity", "seconds is" },
        { "an unknown key", result => result["more"] = 1, "more" },
        { "another version", result => result["version"] = 7, "version 7" },
        { "another run's", result => result["id"] = "0000000000000000", "is of run 0000000000000000" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Merge_BrokenResult_IsNamedAndLeftOut(string fault, Action<JsonObject> change, string expected)
    {
        var (ids, mine) = Write();
        Change(mine, ids[0], change);
        using var into = new StudyFolder(_folder["into"]);
        var (taken, refused) = into.Merge(_folder["theirs"]);
        taken.ShouldBe(ids.Count - 1, fault);
        refused.ShouldHaveSingleItem().Reason.ShouldContain(expected);
        refused[0].Path.ShouldBe(mine.ResultPath(ids[0]));
        Directory.Exists(into.RunPath(ids[0])).ShouldBeFalse();

        // Copied by hand, it is left out likewise, and all the others count.
        mine.ReadResults().ById.Count.ShouldBe(ids.Count - 1);
        mine.ReadResults().Refused.ShouldHaveSingleItem().Reason.ShouldContain(expected);
    }

    [Fact]
    public void Merge_LinksPipesAndFolders_AreNotFollowed()
    {
        if (OperatingSystem.IsWindows()) return;
        var (ids, theirs) = Write();
        File.WriteAllText(_folder["secret"], "what the other may not see");
        string run = theirs.RunPath(ids[0]);
        File.CreateSymbolicLink(Path.Combine(run, "model.safetensors"), _folder["secret"]);
        Directory.CreateSymbolicLink(Path.Combine(run, "below"), _folder.FullPath);
        File.WriteAllText(Path.Combine(run, "plain"), "kept");
        MakePipe(Path.Combine(run, "pipe"));
        using var into = new StudyFolder(_folder["into"]);
        var (taken, refused) = into.Merge(_folder["theirs"]);
        taken.ShouldBe(ids.Count);
        refused.Select(entry => Path.GetFileName(entry.Path)).Order().ShouldBe(["below", "model.safetensors", "pipe"]);
        Directory.EnumerateFileSystemEntries(into.RunPath(ids[0])).Select(path => Path.GetFileName(path)).Order()
            .ShouldBe(["plain", "result.json"]);
    }

    [Fact]
    public void Merge_ResultThatIsALinkOrAPipe_IsLeftOut()
    {
        if (OperatingSystem.IsWindows()) return;
        var (ids, theirs) = Write();
        File.Move(theirs.ResultPath(ids[0]), _folder["elsewhere"]);
        File.CreateSymbolicLink(theirs.ResultPath(ids[0]), _folder["elsewhere"]);
        File.Delete(theirs.ResultPath(ids[1]));
        MakePipe(theirs.ResultPath(ids[1]));
        using var into = new StudyFolder(_folder["into"]);
        var (taken, refused) = into.Merge(_folder["theirs"]);
        taken.ShouldBe(ids.Count - 2);
        refused.Count.ShouldBe(2);
        refused.ShouldContain(entry => entry.Reason.Contains("a link"));
        refused.ShouldContain(entry => entry.Reason.Contains("a pipe or a device"));
    }

    [Fact]
    public void PlainFile_FolderOrMissing_Throws()
    {
        Should.Throw<IOException>(() => PlainFile.Open(_folder.FullPath)).Message.ShouldContain("a folder");
        Should.Throw<FileNotFoundException>(() => PlainFile.Open(_folder["none"]));
        File.WriteAllText(_folder["a"], "abc");
        PlainFile.ReadAllBytes(_folder["a"]).ShouldBe("abc"u8.ToArray());
    }

    [Theory]
    [InlineData("seed", 7, "seed is 7, but the run of this id has 1")]
    [InlineData("learning_rate", 0.5, "learning_rate is 0.5, but the run of this id has 0.001")]
    [InlineData("steps", 101, "steps is 101, but the run of this id has 100")]
    public void Merge_NumbersThatAreNotThoseOfTheId_AreLeftOut(string key, double value, string expected)
    {
        var (ids, theirs) = Write();
        Change(theirs, ids[0], result => result[key] = value);
        using var into = new StudyFolder(_folder["into"]);
        var (taken, refused) = Study().Merge(into, _folder["theirs"]);
        taken.ShouldBe(ids.Count - 1);
        refused.ShouldHaveSingleItem().ShouldBe(new RefusedResult(theirs.ResultPath(ids[0]), expected));

        // The study goes on with the others, and makes the run again.
        var results = Study().ResultsIn(theirs);
        results.ById.Keys.Order().ShouldBe(ids.Skip(1).Order());
        results.Refused.ShouldHaveSingleItem().Reason.ShouldBe(expected);
        Study().ResultsIn(into).Refused.ShouldBeEmpty();
    }

    /// <summary>An id tells what was set. A default that was another one when the result was made is in what the result records.</summary>
    [Theory]
    [InlineData("criterion: l1", "criterion: l2", "wisca.criterion is l2, but the run of this id has l1")]
    [InlineData("  every: 250", "  every: 50", "wisca.every is 50, but the run of this id has 250")]
    [InlineData("batch_size: ", "batch_sizes: ", "batch_sizes: unknown key")]
    public void ResultsIn_ConfigurationThatIsNotThatOfTheId_IsLeftOut(string text, string other, string expected)
    {
        var (ids, theirs) = Write();
        Change(theirs, ids[0], result =>
        {
            string before = (string)result["configuration"]!;
            before.ShouldContain(text);
            result["configuration"] = before.Replace(text, other);
        });
        var results = Study().ResultsIn(theirs);
        results.ById.Keys.Order().ShouldBe(ids.Skip(1).Order());
        results.Refused.ShouldHaveSingleItem().Reason.ShouldContain(expected);
    }

    /// <summary>A result of a version that did not know a setting yet, of another machine, where texts lie elsewhere.</summary>
    [Fact]
    public void ResultsIn_ConfigurationOfAnOlderVersionOfAnotherMachine_Counts()
    {
        var (ids, theirs) = Write();
        foreach (string id in ids)
            Change(theirs, id, result =>
            {
                string before = (string)result["configuration"]!, after = before
                    .Replace("ema: none\n", "")
                    .Replace("train: [stories]", "train: [/somewhere/else.txt]")
                    .Replace("threads: ", "threads: 1");
                after.Length.ShouldNotBe(before.Length);
                result["configuration"] = after;
            });
        var results = Study().ResultsIn(theirs);
        results.Refused.ShouldBeEmpty();
        results.ById.Count.ShouldBe(ids.Count);
    }

    private Study Study()
    {
        File.WriteAllText(
            _folder["study.yaml"],
            "seeds: [1, 2]\ntraining: { steps: 100 }\narms: { origin: { wisca: { preset: origin } }, other: { wisca: { every: 3 } } }\n");
        return Comparison.Studies.Study.Load(_folder["study.yaml"], [$"output={_folder["out"]}"]);
    }

    private static JsonObject Last(JsonObject result) => result["held_out"]!.AsArray()[^1]!.AsObject();

    private static void Change(StudyFolder folder, string id, Action<JsonObject> change)
    {
        var result = JsonNode.Parse(File.ReadAllText(folder.ResultPath(id)))!.AsObject();
        change(result);
        File.WriteAllText(folder.ResultPath(id), result.ToJsonString());
    }

    private static void MakePipe(string path)
    {
        using var process = System.Diagnostics.Process.Start("mkfifo", [path]);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }

    private (List<string> Ids, StudyFolder Folder) Write()
    {
        var folder = new StudyFolder(_folder["theirs"]);
        var runs = Study().Plan(new Dictionary<string, RunResult>()).Runs;
        foreach (var run in runs) folder.WriteResult(MadeResult.Of(run, 3, 3));
        return ([.. runs.Select(run => run.Id)], folder);
    }
}

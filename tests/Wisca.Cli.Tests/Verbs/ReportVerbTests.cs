using Wisca.Comparison.Results;
using Wisca.Tests;
using Wisca.Tests.Studies;

namespace Wisca.Cli.Tests.Verbs;

public sealed class ReportVerbTests
{
    private static void WriteStudy(string path)
    {
        var study = MadeStudy.Small();
        using var folder = new StudyFolder(path);
        StudyFolder.Write(folder.ReportPath, study.Report);
        foreach (var result in study.Results.Values) folder.WriteResult(result);
    }

    [Fact]
    public async Task Report_StudyFolder_WritesPageAndMarkdown()
    {
        using var folder = new TemporaryFolder();
        WriteStudy(folder["study"]);
        var run = await CommandRun.RunAsync("report", folder["study"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Error.ShouldBeEmpty();
        File.ReadAllText(folder["study", "report.html"]).ShouldStartWith("<!DOCTYPE html>");
        string markdown = File.ReadAllText(folder["study", "report.md"]);
        foreach (string plot in Directory.GetFiles(folder["study", "plots"])) markdown.ShouldContain($"(plots/{Path.GetFileName(plot)})");
        markdown.ShouldContain("- **main/llama: lower perplexity than origin: wisca.**");
    }

    [Fact]
    public async Task Report_Out_WritesThatFileAlone()
    {
        using var folder = new TemporaryFolder();
        WriteStudy(folder["study"]);
        (await CommandRun.RunAsync("report", folder["study"], "--out", folder["there", "page.html"])).ExitCode.ShouldBe(0);
        Directory.GetFileSystemEntries(folder["there"]).ShouldBe([folder["there", "page.html"]]);

        // Somebody's file is replaced only where that is asked for.
        File.WriteAllText(folder["there", "page.html"], "mine");
        (await CommandRun.RunAsync("report", folder["study"], "--out", folder["there", "page.html"])).ShouldFail("page.html exists");
        File.ReadAllText(folder["there", "page.html"]).ShouldBe("mine");
        (await CommandRun.RunAsync("report", folder["study"], "--out", folder["there", "page.html"], "--force")).ExitCode.ShouldBe(0);
        File.ReadAllText(folder["there", "page.html"]).ShouldStartWith("<!DOCTYPE html>");
        (await CommandRun.RunAsync("report", folder["study"], "--out", folder["text", "page.md"])).ExitCode.ShouldBe(0);
        Directory.GetFileSystemEntries(folder["text"]).ShouldBe([folder["text", "page.md"], folder["text", "plots"]], ignoreOrder: true);
        File.Exists(folder["study", "report.html"]).ShouldBeFalse();
    }

    [Fact]
    public async Task Report_RunsThatDiffer_AreNamed()
    {
        using var folder = new TemporaryFolder();
        WriteStudy(folder["study"]);
        string[] runs = Directory.GetDirectories(folder["study", "runs"]);
        Directory.Delete(runs[0], recursive: true);
        using (var study = new StudyFolder(folder["study"]))
            study.WriteResult(MadeStudy.Small().Results.Values.First() with { Id = "0123456789abcdef" });
        var run = await CommandRun.RunAsync("report", folder["study"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Error.ShouldContain("1 run of study.json");
        run.Error.ShouldContain("1 run in the folder");
    }

    [Fact]
    public async Task Report_BadUse_IsOneLine()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("report", folder["none"])).ShouldFail("has no study.json");
        WriteStudy(folder["study"]);
        (await CommandRun.RunAsync("report", folder["study"], "--out", folder["page.pdf"]))
            .ErrorLines[0]
            .ShouldContain("expected a file that ends with .html or .md");
        File.WriteAllText(folder["study", "study.json"], "{ \"version\": 1 ");
        (await CommandRun.RunAsync("report", folder["study"])).ShouldFail("study.json");
        File.WriteAllText(folder["study", "study.json"], "null");
        (await CommandRun.RunAsync("report", folder["study"])).ShouldFail("study.json is null");
    }
}

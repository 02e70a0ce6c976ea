using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed partial class DemoVerbTests
{
    [Fact]
    public async Task Demo_AsANewcomerRunsIt_BalancesProvesAndUndoes()
    {
        using var folder = new TemporaryFolder();
        var run = await CommandRun.RunAsync("demo", "--steps", "3", "--out", folder["demo"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("forward proof  equivalent on 256 random tokens");
        run.Output.ShouldContain("forward proof  bit-identical on 256 random tokens");
        run.Output.ShouldContain("the same, byte for byte");
        run.Output.ShouldContain("held-out perplexity");
        run.Output.ShouldContain("One seed and a few minutes show that it runs, not that it helps");
        foreach (string arm in (string[])["origin", "qk_ten+vo_ten"])
        {
            File.Exists(folder["demo", arm, "metrics.jsonl"]).ShouldBeTrue();
            (await CommandRun.RunAsync("inspect", folder["demo", arm, "checkpoints", "step-000003"])).ExitCode.ShouldBe(0);
        }
    }

    [Fact]
    public async Task Demo_Output_IsWhatTheDocumentShows()
    {
        var run = await CommandRun.RunAsync("demo", "--steps", "0");
        string shown = TestRepository
            .ReadText("docs", "demo.md")
            .Split("```")
            .Single(block => block.Contains("$ wisca inspect", StringComparison.Ordinal));

        // What the trainings come to differs from machine to machine.
        string exact = shown.Split("$ wisca train, twice")[0];
        exact.Length.ShouldBeLessThan(shown.Length);
        Lines(run.Output).ShouldBe(Lines(exact));
    }

    [Fact]
    public void Readme_Result_IsOfTheDocument()
    {
        // Lines of one run, in its order: those of another would promise what no model ever was.
        string document = TestRepository.ReadText("docs", "demo.md").ReplaceLineEndings("\n").Split("--round pow2")[1];
        string[] lines = TestRepository
            .ReadText("README.md")
            .ReplaceLineEndings("\n")
            .Split("```")
            .Single(block => block.Contains("forward proof", StringComparison.Ordinal))
            .Trim('\n')
            .Split('\n');
        lines.Length.ShouldBe(6);
        string[] places = [.. document.Split('\n').Where(lines.Contains)];
        places.ShouldBe(lines);
    }

    [Fact]
    public async Task Demo_FolderThatExists_Fails()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("demo", "--out", folder.FullPath)).ShouldFail("exists");
    }

    /// <summary>The lines without what differs from run to run and from machine to machine:
    /// the folder, the time, the last digits of logits.</summary>
    private static string[] Lines(string text) => [.. text.Trim().Split('\n').Select(line => Varying().Replace(line.TrimEnd(), "#"))];

    [GeneratedRegex(
        @"\S*wisca-demo-[^/]+|(?<= in )[0-9.]+(?= s;)|(?<=logits\| )\S+|[0-9.]+(?= times )|(?<=KL )\S+"
        + @"|(?<=perplexity |and )[0-9]+\.[0-9]+")]
    private static partial Regex Varying();
}

using System.Text.RegularExpressions;

namespace Wisca.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed partial class DemoVerbTests
{
    [Fact]
    public async Task Demo_AsANewcomerRunsIt_BalancesProvesAndUndoes()
    {
        var run = await CommandRun.RunAsync("demo");
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("forward proof  equivalent on 256 random tokens");
        run.Output.ShouldContain("forward proof  bit-identical on 256 random tokens");
        run.Output.ShouldContain("the same, byte for byte");
    }

    [Fact]
    public async Task Demo_Output_IsWhatTheReadmeShows()
    {
        var run = await CommandRun.RunAsync("demo");
        string shown = TestRepository.ReadText("README.md").Split("```").Single(block => block.Contains("$ wisca inspect", StringComparison.Ordinal));
        Lines(run.Output).ShouldBe(Lines(shown));
    }

    [Fact]
    public async Task Demo_KeepInAFolderThatExists_Fails()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("demo", "--keep", folder.FullPath)).ShouldFail("exists");
    }

    /// <summary>The lines without what differs from run to run and from machine to machine: the folder, the time, the last digits of logits.</summary>
    private static string[] Lines(string text) => [.. text.Trim().Split('\n').Select(line => Varying().Replace(line.TrimEnd(), "#"))];

    [GeneratedRegex(@"\S*wisca-demo-[^/]+|(?<= in )[0-9.]+(?= s;)|(?<=logits\| )\S+|(?<=KL )\S+|(?<=perplexity |and )[0-9]+\.[0-9]+")]
    private static partial Regex Varying();
}

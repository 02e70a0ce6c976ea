namespace Wisca.Tests.CommandLine;

public sealed class WiscaApplicationTests
{
    [Fact]
    public async Task Run_NoArguments_ShowsTheHelpAndExits2()
    {
        var run = await CommandRun.RunAsync();
        run.ExitCode.ShouldBe(2);
        foreach (string verb in (string[])["inspect", "rescale", "undo", "verify", "tokenize", "architectures", "doctor", "demo"]) run.Output.ShouldContain($"  {verb}");
    }

    [Fact]
    public async Task Run_UnknownVerb_NamesItAndTheVerbs()
    {
        var run = await CommandRun.RunAsync("reskale");
        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldContain("'reskale'");
        run.ErrorLines[1].ShouldContain("inspect, rescale, undo, verify");
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("rescale")]
    [InlineData("undo")]
    [InlineData("verify")]
    [InlineData("architectures")]
    [InlineData("doctor")]
    [InlineData("demo")]
    public async Task Run_HelpOfAVerb_DescribesEveryOption(string verb)
    {
        var run = await CommandRun.RunAsync(verb, "--help");
        run.ExitCode.ShouldBe(0);
        var options = run.Output.Split('\n').Where(line => line.TrimStart().StartsWith("--", StringComparison.Ordinal)).ToList();
        foreach (string option in options) option.Trim().ShouldMatch(@"^--[a-z0-9-]+( <[A-Z]+>)?( \(REQUIRED\))?\s{2,}\S+");
    }
}

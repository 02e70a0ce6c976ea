using System.Diagnostics;
using System.Text;
using Spectre.Console;
using Wisca.Commands.CommandLine;

namespace Wisca.Cli.Tests;

public sealed class WiscaApplicationTests
{
    [Fact]
    public async Task Run_NoArguments_ShowsTheHelpAndExits2()
    {
        var run = await CommandRun.RunAsync();
        run.ExitCode.ShouldBe(2);
        foreach (string verb in (string[])["inspect", "rescale", "undo", "verify", "tokenize", "architectures", "doctor", "demo"])
            run.Output.ShouldContain($"  {verb}");
    }

    [Fact]
    public async Task Run_UnknownVerb_NamesItAndTheVerbs()
    {
        var run = await CommandRun.RunAsync("reskale");
        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldContain("'reskale'");
        run.ErrorLines[1].ShouldContain("inspect, rescale, rotate, undo, verify");
    }

    [Theory]
    [InlineData(1, "architectures", "nonsense")]
    [InlineData(1, "architectures")]
    [InlineData(1, "--help")]
    [InlineData(1)]
    [InlineData(2, "nonsense")]
    public async Task Run_NothingCanBeWritten_StillExitsWithItsCode(int exitCode, params string[] args)
    {
        using var full = new FullDisk();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(full) });
        (await WiscaApplication.RunAsync(args, new CommandContext(console, console, full))).ShouldBe(exitCode);
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("doctor")]
    public void Program_FullDisk_ExitsWith1AndDoesNotCrash(string argument)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux has /dev/full");
        using var shell = Process.Start("sh", ["-c", $"\"{Path.Combine(AppContext.BaseDirectory, "wisca")}\" {argument} > /dev/full 2>&1"]);
        shell.WaitForExit();
        shell.ExitCode.ShouldBe(1);
    }

    [Theory]
    [InlineData("architectures", "lama", "architecture 'lama' is not known; the nearest known ones are llama")]
    [InlineData("inspect", "", "the model's path is empty")]
    public async Task Run_ArgumentThatNamesNothing_SaysSo(string verb, string argument, string expected) =>
        (await CommandRun.RunAsync(verb, argument)).ShouldFail(expected);

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

    private sealed class FullDisk : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => throw new IOException("No space left on device");
    }
}

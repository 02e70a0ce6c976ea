using Spectre.Console.Testing;
using Wisca.Commands;
using Wisca.Commands.CommandLine;

namespace Wisca.Cli.Tests;

/// <summary>A command line that was run inside the test's process.</summary>
internal sealed record CommandRun(int ExitCode, string Output, string Error)
{
    /// <summary>The lines of standard error.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>
    /// Runs in this process; or, where WISCA_NATIVE_SUITES=1 asks for it, what the native program has in a process of that one: the suites
    /// then hold it to all that they hold the command line to.
    /// </summary>
    public static Task<CommandRun> RunAsync(params string[] args) =>
        Environment.GetEnvironmentVariable("WISCA_NATIVE_SUITES") == "1" && NativeProgram.Has(args)
            ? Task.Run(() => NativeProgram.Run(args))
            : RunAsync(200, args);

    /// <summary>Runs on a terminal of so many columns, in this process.</summary>
    public static Task<CommandRun> RunAsync(int width, string[] args) => InProcessAsync(WiscaApplication.Program, width, args);

    public static Task<CommandRun> InProcessAsync(params string[] args) => RunAsync(200, args);

    public static async Task<CommandRun> InProcessAsync(CommandLineProgram program, int width, string[] args)
    {
        using var output = new TestConsole();
        using var error = new TestConsole();
        using var standardOutput = new StringWriter();
        output.Profile.Width = width;
        int exitCode = await program.RunAsync(args, new CommandContext(output, error, standardOutput));
        return new CommandRun(exitCode, output.Output + standardOutput, error.Output);
    }

    /// <summary>Exit 1, one line of error that holds a text, at most one of hint, and nothing else.</summary>
    public void ShouldFail(string expected)
    {
        ExitCode.ShouldBe(1, Error + Output);
        Output.ShouldBeEmpty();
        ErrorLines.Length.ShouldBeInRange(1, 2);
        ErrorLines[0].ShouldStartWith("wisca: ");
        ErrorLines[0].ShouldContain(expected);
        if (ErrorLines.Length == 2) ErrorLines[1].ShouldStartWith("hint: ");
        Error.ShouldNotContain("   at ");
        Error.ShouldNotContain("Exception");
        Error.Where(c => c != '\n').Any(char.IsControl).ShouldBeFalse();
    }
}

using Spectre.Console;

namespace Wisca.Cli.CommandLine;

/// <summary>Where a verb writes: results to standard output, progress and remarks to standard error.</summary>
/// <param name="Out">Standard output for people.</param>
/// <param name="Error">Standard error.</param>
/// <param name="StandardOutput">Standard output for programs.</param>
public sealed record CommandContext(IAnsiConsole Out, IAnsiConsole Error, TextWriter StandardOutput)
{
    /// <summary>
    /// What the command has put in its place. It stands, whatever becomes of the report about it: an error then says so.
    /// </summary>
    public List<string> Written { get; } = [];

    /// <summary>The context of this process.</summary>
    public static CommandContext ForProcess()
    {
        if (!Console.IsOutputRedirected) Console.SetOut(new TerminalWriter(Console.Out));
        if (!Console.IsErrorRedirected) Console.SetError(new TerminalWriter(Console.Error));
        var output = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        var error = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

        // A pipe has no width, and a line that a program reads must not be broken.
        // On a narrow terminal the tables keep their numbers whole.
        output.Profile.Width = Console.IsOutputRedirected ? 10_000 : Math.Max(output.Profile.Width, 76);
        return new CommandContext(output, error, Console.Out);
    }

    /// <summary>Writes JSON to standard output.</summary>
    public void WriteJson(System.Text.Json.Nodes.JsonNode json) =>
        StandardOutput.WriteLine(
            json.ToJsonString(
                new System.Text.Json.JsonSerializerOptions
                {
                    WriteIndented = true,
                    Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                }));
}

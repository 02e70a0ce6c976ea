using Spectre.Console;
using Wisca.Commands;
using Wisca.Commands.CommandLine;
using Wisca.Library.Documents;

namespace Wisca.Library.Sessions;

/// <summary>A command line within the process that calls.</summary>
internal static class CommandSession
{
    // What a program reads is not broken into lines of a terminal.
    private const int Width = 10_000;

    /// <summary>Runs it.</summary>
    /// <param name="arguments">A JSON array of its words.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The exit code, what was written to both outputs, and the error; null where there was none.</returns>
    /// <exception cref="RequestException">The arguments are not words.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing half-written is left.</exception>
    public static (int ExitCode, string Output, string Messages, ErrorDescription? Error) Run(
        string arguments, CancellationToken cancellation)
    {
        string[] words = LibraryJson.Read(arguments, LibraryJson.Default.StringArray, "arguments");
        if (words.Any(word => word is null)) throw new RequestException("arguments: a word is null");
        using StringWriter output = new(), messages = new();
        var context = new CommandContext(Console(output), Console(messages), output);
        int exitCode = new CommandLineProgram().RunAsync(words, context, cancellation).GetAwaiter().GetResult();
        if (exitCode != 0) cancellation.ThrowIfCancellationRequested();
        var error = context.Failure is { } failure ? new ErrorDescription(failure.Message, failure.Hint, failure.Details) : null;
        return (exitCode, output.ToString(), messages.ToString(), error);
    }

    private static IAnsiConsole Console(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = Width;
        return console;
    }
}

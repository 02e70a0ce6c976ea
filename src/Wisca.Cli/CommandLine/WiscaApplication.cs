using System.CommandLine;
using Wisca.Cli.Verbs;

namespace Wisca.Cli.CommandLine;

/// <summary>The command line: parses, runs a verb and turns errors into one line and an exit code.</summary>
public static class WiscaApplication
{
    private const int Failed = 1, WrongUsage = 2;

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="context">Where to write.</param>
    /// <returns>0 done, 1 failed check or bad input, 2 wrong usage.</returns>
    public static async Task<int> RunAsync(string[] args, CommandContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var root = new RootCommand("Rescales Transformer checkpoints exactly, so that their attention weights are balanced (WISCA).")
        {
            InspectVerb.Create(context),
            RescaleVerb.Create(context),
            UndoVerb.Create(context),
            VerifyVerb.Create(context),
            ArchitecturesVerb.Create(context),
            DoctorVerb.Create(context),
            DemoVerb.Create(context),
        };
        root.Add(SharedOptions.Verbose);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            string command = string.Join(' ', Names(parsed.CommandResult));
            // The list of choices comes with line breaks and tabs.
            WriteError(context, string.Join(' ', parsed.Errors[0].Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), $"{command} --help shows how it is used");
            return WrongUsage;
        }

        // Ctrl-C cancels; a verb then has this long to clear away what it staged before the process ends.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) };
        try
        {
            return await parsed.InvokeAsync(configuration);
        }
        catch (UsageException exception)
        {
            WriteError(context, exception.Message, $"{string.Join(' ', Names(parsed.CommandResult))} --help shows how it is used");
            return WrongUsage;
        }
        catch (OperationCanceledException)
        {
            WriteError(context, "cancelled; no output was written", null);
            return Failed;
        }
        catch (Exception exception)
        {
            // Whatever went wrong, the user gets one line; the stack trace only under --verbose.
            if (parsed.GetValue(SharedOptions.Verbose)) context.Error.Profile.Out.Writer.WriteLine(exception);
            var known = exception as WiscaException;
            string message = known is not null || exception is IOException or UnauthorizedAccessException
                ? exception.Message
                : $"{exception.GetType().Name}: {exception.Message}";
            WriteError(context, message.Split(['\n', '\r'])[0], known is not null ? known.Hint : "run again with --verbose for the details");
            return Failed;
        }
    }

    private static IEnumerable<string> Names(System.CommandLine.Parsing.CommandResult result) =>
        (result.Parent is System.CommandLine.Parsing.CommandResult parent ? Names(parent) : []).Append(result.Parent is null ? "wisca" : result.Command.Name);

    private static void WriteError(CommandContext context, string message, string? hint)
    {
        // Plain lines, not Spectre's layout: an error stays on one line however narrow the terminal is.
        var writer = context.Error.Profile.Out.Writer;
        writer.WriteLine($"wisca: {message}");
        if (hint is not null) writer.WriteLine($"hint: {hint}");
    }
}

using System.CommandLine;
using System.CommandLine.Parsing;
using Wisca.Cli.CommandLine;
using Wisca.Cli.Verbs;

namespace Wisca.Cli;

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
            RotateVerb.Create(context),
            UndoVerb.Create(context),
            VerifyVerb.Create(context),
            MergeVerb.Create(context),
            BalanceVerb.Create(context),
            ExpressVerb.Create(context),
            TokenizeVerb.Create(context),
            ArchitecturesVerb.Create(context),
            DoctorVerb.Create(context),
            GenerateVerb.Create(context),
            EvalVerb.Create(context),
            FlatnessVerb.Create(context),
            TrainVerb.Create(context),
            FinetuneVerb.Create(context),
            CompareVerb.Create(context),
            CompareWorkerVerb.Create(context),
            ReportVerb.Create(context),
            CompletionVerb.Create(context),
            DemoVerb.Create(context),
        };
        root.Add(SharedOptions.Verbose);
        // Ctrl-C cancels; a verb then has this long to clear away what it staged before the process ends.
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
            Output = context.StandardOutput,
            Error = context.Error.Profile.Out.Writer,
        };

        // A prompt may begin with @: no argument is a file of arguments.
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            WriteUsageError(context, parsed, PrintableText.Of(Message(parsed)));
            return WrongUsage;
        }

        using var hangUp = new HangUp();
        try
        {
            int exitCode = await parsed.InvokeAsync(configuration, hangUp.Token);
            return args.Length == 0 ? WrongUsage : exitCode;
        }
        catch (UsageException exception)
        {
            WriteUsageError(context, parsed, PrintableText.Of(exception.Message));
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
            if (known is null && context.Written.Count > 0) message += $"; {string.Join(" and ", context.Written)} stands, and is whole";
            WriteError(
                context,
                string.Join(
                    '\n',
                    [PrintableText.Of(message.Split(['\n', '\r'])[0]), .. known?.Details.Select(detail => "  " + detail) ?? []]),
                known is not null ? known.Hint : "run again with --verbose for the details");
            return Failed;
        }
    }

    /// <summary>The most telling of the parser's errors, on one line: a word that it does not know comes before what is missing.</summary>
    private static string Message(ParseResult parsed)
    {
        var error =
            parsed.Errors.FirstOrDefault(error =>
                parsed.UnmatchedTokens.Any(token => error.Message.Contains($"'{token}'", StringComparison.Ordinal))
            ) ?? parsed.Errors[0];
        string message = string.Join(' ', error.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

        // The parser quotes a value that it rejects, but not always the option that it was given to.
        return error.SymbolResult is OptionResult { Option.Name: var option } && !message.Contains(option, StringComparison.Ordinal)
            ? $"{option}: {message}"
            : message;
    }

    private static void WriteUsageError(CommandContext context, ParseResult parsed, string message)
    {
        var command = parsed.CommandResult.Command;
        WriteError(
            context,
            message,
            command is RootCommand
                ? $"the commands are {string.Join(", ", command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name))}; "
                    + "wisca --help says what they do"
                : $"wisca {command.Name} --help shows how it is used");
    }

    private static void WriteError(CommandContext context, string message, string? hint)
    {
        try
        {
            // Plain lines, not Spectre's layout: an error stays on one line however narrow the terminal is.
            var writer = context.Error.Profile.Out.Writer;
            writer.WriteLine($"wisca: {message}");
            if (hint is not null) writer.WriteLine($"hint: {hint}");
        }
        catch (IOException)
        {
            // Standard error cannot be written either; the exit code still tells.
        }
    }
}

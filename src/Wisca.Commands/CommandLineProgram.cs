using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Wisca.Commands.CommandLine;
using Wisca.Commands.Verbs;
using Wisca.Mpi;

namespace Wisca.Commands;

/// <summary>
/// The command line: parses, runs a verb and turns errors into one line and an exit code. What needs no libtorch is here; a program that
/// has it brings a runner of models, and the verbs that train and evaluate.
/// </summary>
/// <param name="runner">Runs models; null for a program that cannot.</param>
/// <param name="more">Makes further verbs; null for a program that has none, and says where they are.</param>
public sealed class CommandLineProgram(IModelRunner? runner = null, Func<CommandContext, IEnumerable<Command>>? more = null)
{
    private const int Failed = 1, WrongUsage = 2;

    /// <summary>The verbs in the order of the help, whichever program has them.</summary>
    private static readonly string[] Order =
    [
        "inspect", "rescale", "rotate", "undo", "verify", "merge", "balance", "express", "tokenize", "architectures", "doctor", "generate",
        "eval", "make-tasks", "flatness", "train", "finetune", "compare", "compare-worker", "report", "completion", "demo",
    ];

    /// <summary>Runs a command line in a process of its own: signals of the terminal cancel it.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="context">Where to write.</param>
    /// <returns>0 done, 1 failed check or bad input, 2 wrong usage.</returns>
    public async Task<int> RunAsync(string[] args, CommandContext context)
    {
        using var hangUp = new HangUp();

        // Ctrl-C cancels; a verb then has this long to clear away what it staged before the process ends.
        return await RunAsync(args, context, TimeSpan.FromSeconds(30), hangUp.Token);
    }

    /// <summary>Runs a command line within another program, whose signals are its own.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="context">Where to write.</param>
    /// <param name="cancellation">Ends it; nothing half-written is left.</param>
    /// <returns>0 done, 1 failed check or bad input, 2 wrong usage.</returns>
    public Task<int> RunAsync(string[] args, CommandContext context, CancellationToken cancellation) =>
        RunAsync(args, context, null, cancellation);

    private async Task<int> RunAsync(string[] args, CommandContext context, TimeSpan? termination, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(context);
        var root = Root(context);
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = termination,
            Output = context.StandardOutput,
            Error = context.Error.Profile.Out.Writer,
        };

        // A prompt may begin with @: no argument is a file of arguments.
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed is { CommandResult.Command: ElsewhereCommand, Action: not HelpAction })
        {
            var refusal = Elsewhere.NeedsLibtorch($"wisca {parsed.CommandResult.Command.Name}");
            context.Fail(new CommandFailure(refusal.Message, refusal.Hint, []));
            return Failed;
        }

        if (parsed.Errors.Count > 0)
        {
            WriteUsageError(context, parsed, PrintableText.Of(Message(parsed)));
            return WrongUsage;
        }

        try
        {
            int exitCode = await parsed.InvokeAsync(configuration, cancellation);
            context.Leave(exitCode);
            return args.Length == 0 ? WrongUsage : exitCode;
        }
        catch (UsageException exception)
        {
            WriteUsageError(context, parsed, PrintableText.Of(exception.Message));
            context.Leave(WrongUsage);
            return WrongUsage;
        }
        catch (OperationCanceledException)
        {
            context.Fail(new CommandFailure("cancelled; no output was written", null, []));
            context.Leave(Failed);
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
            context.Fail(new CommandFailure(
                PrintableText.Of(message.Split(['\n', '\r'])[0]),
                known is not null ? known.Hint : "run again with --verbose for the details",
                known?.Details ?? []));
            context.Leave(Failed);
            return Failed;
        }
    }

    /// <summary>All verbs, those that this program can only tell of included.</summary>
    internal RootCommand Root(CommandContext context)
    {
        Command[] verbs =
        [
            InspectVerb.Create(context),
            RescaleVerb.Create(context),
            RotateVerb.Create(context),
            UndoVerb.Create(context),
            VerifyVerb.Create(context, runner),
            MergeVerb.Create(context, runner),
            BalanceVerb.Create(context),
            ExpressVerb.Create(context),
            ArchitecturesVerb.Create(context),
            CompletionVerb.Create(context),
            .. more?.Invoke(context) ?? Elsewhere.Verbs(),
        ];
        var root = new RootCommand("Rescales Transformer checkpoints exactly, so that their attention weights are balanced (WISCA).");
        foreach (var verb in verbs.OrderBy(verb => Array.IndexOf(Order, verb.Name))) root.Add(verb);
        root.Add(SharedOptions.Verbose);
        return root;
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
        // All ranks were given the same words.
        if (MpiCommunicator.LaunchedRank > 0) return;
        var command = parsed.CommandResult.Command;
        context.Fail(new CommandFailure(
            message,
            command is RootCommand
                ? $"the commands are {string.Join(", ", command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name))}; "
                    + "wisca --help says what they do"
                : $"wisca {command.Name} --help shows how it is used",
            []));
    }
}

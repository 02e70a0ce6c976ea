using Spectre.Console;
using Wisca.Communication;
using Wisca.Mpi;

namespace Wisca.Commands.CommandLine;

/// <summary>Where a verb writes: results to standard output, progress and remarks to standard error.</summary>
/// <param name="Out">Standard output for people.</param>
/// <param name="Error">Standard error.</param>
/// <param name="StandardOutput">Standard output for programs.</param>
public sealed record CommandContext(IAnsiConsole Out, IAnsiConsole Error, TextWriter StandardOutput)
{
    /// <summary>How long a rank whose command failed waits for rank 0, which may have failed in the same way, to tell of it and end all.
    /// </summary>
    private static readonly TimeSpan Deference = TimeSpan.FromSeconds(3);

    private readonly List<string> _notes = [];
    private MpiCommunicator? _joined;

    /// <summary>
    /// What the command has put in its place. It stands, whatever becomes of the report about it: an error then says so.
    /// </summary>
    public List<string> Written { get; } = [];

    /// <summary>What went wrong; null where nothing did.</summary>
    public CommandFailure? Failure { get; private set; }

    /// <summary>Standard output for people; text from files is escaped on it.</summary>
    public IAnsiConsole Out { get; } = new EscapingConsole(Out);

    /// <summary>Standard error, likewise.</summary>
    public IAnsiConsole Error { get; } = new EscapingConsole(Error);

    /// <summary>
    /// The processes that work on this command together: those that <c>mpirun</c> started, from the moment that a verb asks. The verb then
    /// prints on rank 0 alone.
    /// </summary>
    public ICommunicator Ranks => (_joined ??= MpiCommunicator.Join()) ?? (ICommunicator)SingleProcess.Instance;

    /// <summary>Tells of what a verb does not expect, on a line of standard error and in its JSON.</summary>
    public void Note(string text)
    {
        _notes.Add(text);
        Error.Profile.Out.Writer.WriteLine($"note: {PrintableText.Of(text)}");
    }

    /// <summary>Tells of an adapter beside a model's weights, which other programs would use and this one does not.</summary>
    /// <param name="model">The model's folder.</param>
    public void NoteAdapter(string model)
    {
        if (Wisca.Checkpoints.Checkpoint.HoldsAdapterIn(model))
            Note(
                $"{model} also holds an adapter, which transformers attaches when it loads the folder; here the model's own weights are "
                + $"read alone (wisca merge {model} {model} --out DIR makes a model of both)");
    }

    /// <summary>Tells what went wrong, in plain lines: an error stays on one line however narrow the terminal is.</summary>
    /// <param name="failure">What.</param>
    internal void Fail(CommandFailure failure)
    {
        Failure = failure;
        try
        {
            string rank = "";
            if (_joined is { Rank: > 0 })
            {
                Thread.Sleep(Deference);
                rank = $"rank {_joined.Rank} of {_joined.Size}: ";
            }

            var writer = Error.Profile.Out.Writer;
            writer.WriteLine($"wisca: {rank}{string.Join('\n', [failure.Message, .. failure.Details.Select(detail => "  " + detail)])}");
            if (failure.Hint is not null) writer.WriteLine($"hint: {failure.Hint}");
        }
        catch (IOException)
        {
            // Standard error cannot be written either; the exit code still tells.
        }
    }

    /// <summary>Called when the command has ended: ranks end together, by force where one of them has failed.</summary>
    /// <param name="exitCode">Its exit code.</param>
    internal void Leave(int exitCode)
    {
        if (_joined is null) return;
        if (exitCode == 0)
        {
            _joined.Finish();
            return;
        }

        Error.Profile.Out.Writer.Flush();
        StandardOutput.Flush();
        _joined.Abort(exitCode);
    }

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
    public void WriteJson(System.Text.Json.Nodes.JsonNode json)
    {
        if (_notes.Count > 0 && json is System.Text.Json.Nodes.JsonObject root)
        {
            if (root["notes"] is not System.Text.Json.Nodes.JsonArray notes) root["notes"] = notes = [];
            foreach (string note in _notes) notes.Add((System.Text.Json.Nodes.JsonNode?)note);
        }

        string text = json.ToJsonString(
            new System.Text.Json.JsonSerializerOptions
            {
                WriteIndented = true,
                Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            });

        // Only strings hold what must be escaped, and there the escape means the same.
        foreach (string line in text.Split('\n')) StandardOutput.WriteLine(PrintableText.Of(line.TrimEnd('\r')));
    }
}

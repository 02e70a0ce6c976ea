using System.CommandLine;
using Spectre.Console;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Cli.Demo;
namespace Wisca.Cli.Verbs;

/// <summary><c>wisca demo</c>: the main jobs on a model and a text that are made on the spot.</summary>
internal static class DemoVerb
{
    private const int DefaultSteps = 300;

    /// <param name="context">Where to write.</param>
    /// <param name="run">Runs a command line.</param>
    public static Command Create(CommandContext context, Func<string[], CancellationToken, Task<int>> run)
    {
        var output = new Option<string?>("--out", "-o")
        {
            Description = "The folder for models, checkpoints and curves; it must not exist yet (default: a temporary one).",
            HelpName = "DIR",
        };
        var steps = SharedOptions.Number(
            "--steps", $"Optimizer steps of each of the two trainings; 0 to leave them out (default: {DefaultSteps}).", "N", 0, 1_000_000);
        steps.DefaultValueFactory = _ => DefaultSteps;
        var command = new Command(
            "demo",
            "Balance a small Llama, prove that nothing changed, take it back; then train one with and without WISCA.")
        {
            output,
            steps,
        };
        command.SetAction(
            (parsed, cancellation) => Task.Run(() => Run(context, run, parsed.GetValue(output), parsed.GetValue(steps), cancellation)));
        return command;
    }

    private static int Run(
        CommandContext context, Func<string[], CancellationToken, Task<int>> run, string? output, int steps, CancellationToken cancellation)
    {
        if (output is not null && Path.Exists(output))
            throw new WiscaException($"{output} exists", "choose a folder that does not exist yet");
        string folder = output ?? Directory.CreateTempSubdirectory("wisca-demo-").FullName;
        string Place(string name) => Path.Combine(folder, name);
        bool done = false;
        try
        {
            DemoModel.Write(Place("model"));
            context.Out.WriteLine($"{Place("model")}: a grouped-query Llama with random weights, unbalanced on purpose");
            bool worked =
                Shown("inspect", Place("model"))
                && Shown("rescale", Place("model"), "--out", Place("balanced"))
                && Shown("verify", Place("model"), Place("balanced"), "--tokens", "256")
                && Shown(
                    "rescale", Place("model"), "--out", Place("exact"), "--qk", "kv-head", "--vo", "kv-head", "--round", "pow2")
                && Shown("verify", Place("model"), Place("exact"), "--tokens", "256")
                && Shown("undo", Place("exact"), "--out", Place("undone"));
            if (!worked) return 1;
            string before = Path.Combine(Place("model"), Checkpoint.WeightsName),
                after = Path.Combine(Place("undone"), Checkpoint.WeightsName);
            Heading(context, $"cmp {before} {after}");
            bool same = File.ReadAllBytes(before).AsSpan().SequenceEqual(File.ReadAllBytes(after));
            context.Out.WriteLine(same ? "the same, byte for byte" : "the files differ");
            if (steps > 0)
            {
                Heading(
                    context,
                    $"wisca train, twice: the same small Llama on built-in stories, {steps} steps without and with transitions");
                DemoTraining.Run(context, folder, steps, cancellation);
            }

            done = true;
            return same ? 0 : 1;
        }
        finally
        {
            // What a demo leaves without its trainings, or when it fails, nobody looks for.
            if (output is null && (!done || steps == 0)) Directory.Delete(folder, recursive: true);
        }

        // Every step is a command that a user could type: it is shown, and run as it is shown.
        bool Shown(params string[] words)
        {
            Heading(context, $"wisca {string.Join(' ', words)}");
            return run(words, cancellation).GetAwaiter().GetResult() == 0;
        }
    }

    private static void Heading(CommandContext context, string text)
    {
        context.Out.WriteLine();
        context.Out.WriteLine($"$ {text}", new Style(decoration: Decoration.Bold));
    }
}

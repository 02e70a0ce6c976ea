using System.CommandLine;
using Spectre.Console;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;
using Wisca.Cli.Demo;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca demo</c>: the main jobs on a model and a text that are made on the spot.</summary>
internal static class DemoVerb
{
    private const int DefaultSteps = 300;

    public static Command Create(CommandContext context)
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
            (parsed, cancellation) => Task.Run(() => Run(context, parsed.GetValue(output), parsed.GetValue(steps), cancellation)));
        return command;
    }

    private static int Run(CommandContext context, string? output, int steps, CancellationToken cancellation)
    {
        if (output is not null && Path.Exists(output))
            throw new WiscaException($"{output} exists", "choose a folder that does not exist yet");
        string folder = output ?? Directory.CreateTempSubdirectory("wisca-demo-").FullName;
        string Place(string name) => Path.Combine(folder, name);
        bool done = false;
        try
        {
            // Every step is a command that a user could type; it is shown, and run by the code behind that command.
            DemoModel.Write(Place("model"));
            context.Out.WriteLine($"{Place("model")}: a grouped-query Llama with random weights, unbalanced on purpose");
            Heading(context, $"wisca inspect {Place("model")}");
            InspectVerb.Run(context, Place("model"), null, Environment.ProcessorCount, json: false, cancellation);

            Heading(context, $"wisca rescale {Place("model")} --out {Place("balanced")}");
            RescaleVerb.Run(context, new RescaleArguments { Model = Place("model"), Output = Place("balanced") }, cancellation);
            bool verified = Verify("balanced");

            Heading(context, $"wisca rescale {Place("model")} --out {Place("exact")} --qk kv-head --vo kv-head --round pow2");
            var powersOfTwo = new RescaleOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
            };
            RescaleVerb.Run(
                context, new RescaleArguments { Model = Place("model"), Output = Place("exact"), Options = powersOfTwo }, cancellation);
            verified &= Verify("exact");

            Heading(context, $"wisca undo {Place("exact")} --out {Place("undone")}");
            UndoVerb.Run(context, new UndoArguments { Model = Place("exact"), Output = Place("undone") }, cancellation);
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
            return verified && same ? 0 : 1;
        }
        finally
        {
            // What a demo leaves without its trainings, or when it fails, nobody looks for.
            if (output is null && (!done || steps == 0)) Directory.Delete(folder, recursive: true);
        }

        bool Verify(string name)
        {
            Heading(context, $"wisca verify {Place("model")} {Place(name)} --tokens 256");
            return VerifyVerb.Run(context, Place("model"), Place(name), new VerifyOptions { Tokens = 256 }, cancellation) == 0;
        }
    }

    private static void Heading(CommandContext context, string text)
    {
        context.Out.WriteLine();
        context.Out.WriteLine($"$ {text}", new Style(decoration: Decoration.Bold));
    }
}

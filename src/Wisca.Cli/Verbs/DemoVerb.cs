using System.CommandLine;
using Spectre.Console;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;
using Wisca.Cli.Demo;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca demo</c>: the main job on a model that is made on the spot.</summary>
internal static class DemoVerb
{
    public static Command Create(CommandContext context)
    {
        var keep = new Option<string?>("--keep") { Description = "Keep the models in this folder (it must not exist yet).", HelpName = "DIR" };
        var command = new Command("demo", "Make a small grouped-query Llama, balance it, prove that nothing changed, and take it back.") { keep };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(context, parsed.GetValue(keep), cancellation)));
        return command;
    }

    private static int Run(CommandContext context, string? keep, CancellationToken cancellation)
    {
        if (keep is not null && Path.Exists(keep)) throw new WiscaException($"{keep} exists", "choose a folder that does not exist yet");
        string folder = keep ?? Directory.CreateTempSubdirectory("wisca-demo-").FullName;
        string Place(string name) => Path.Combine(folder, name);
        try
        {
            // Every step is a command that a user could type; it is shown, and run by the code behind that command.
            DemoModel.Write(Place("model"));
            context.Out.WriteLine($"{Place("model")}: a grouped-query Llama with random weights, unbalanced on purpose");
            Heading(context, $"wisca inspect {Place("model")}");
            InspectVerb.Run(context, Place("model"), null, Environment.ProcessorCount, json: false, cancellation);

            Heading(context, $"wisca rescale {Place("model")} --out {Place("balanced")}");
            RescaleVerb.Run(context, Place("model"), Place("balanced"), new RescaleOptions(), null, force: false, json: false, cancellation);
            bool verified = Verify("balanced");

            Heading(context, $"wisca rescale {Place("model")} --out {Place("exact")} --qk kv-head --vo kv-head --round pow2");
            var powersOfTwo = new RescaleOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
            };
            RescaleVerb.Run(context, Place("model"), Place("exact"), powersOfTwo, null, force: false, json: false, cancellation);
            verified &= Verify("exact");

            Heading(context, $"wisca undo {Place("exact")} --out {Place("undone")}");
            UndoVerb.Run(context, Place("exact"), Place("undone"), force: false, Environment.ProcessorCount, json: false, cancellation);
            string before = Path.Combine(Place("model"), Checkpoint.WeightsName), after = Path.Combine(Place("undone"), Checkpoint.WeightsName);
            Heading(context, $"cmp {before} {after}");
            bool same = File.ReadAllBytes(before).AsSpan().SequenceEqual(File.ReadAllBytes(after));
            context.Out.WriteLine(same ? "the same, byte for byte" : "the files differ");
            return verified && same ? 0 : 1;
        }
        finally
        {
            if (keep is null) Directory.Delete(folder, recursive: true);
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

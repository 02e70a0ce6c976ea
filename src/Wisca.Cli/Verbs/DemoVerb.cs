using System.CommandLine;
using Spectre.Console;
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
        string folder = keep is null ? Directory.CreateTempSubdirectory("wisca-demo-").FullName : Directory.CreateDirectory(keep).FullName;
        string before = Path.Combine(folder, "model"), balanced = Path.Combine(folder, "balanced"), undone = Path.Combine(folder, "undone");
        int threads = Environment.ProcessorCount;
        try
        {
            Heading(context, "A small grouped-query Llama with random weights");
            DemoModel.Write(before);
            InspectVerb.Run(context, before, null, threads, json: false, cancellation);

            Heading(context, "wisca rescale model --out balanced --round pow2 --qk kv-head --vo kv-head");
            var options = new RescaleOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
            };
            RescaleVerb.Run(context, before, balanced, options, null, force: false, json: false, cancellation);

            Heading(context, "wisca verify model balanced --tokens 256");
            int verified = VerifyVerb.Run(context, before, balanced, new VerifyOptions { Tokens = 256 }, cancellation);

            Heading(context, "wisca undo balanced --out undone");
            UndoVerb.Run(context, balanced, undone, force: false, threads, json: false, cancellation);
            const string weights = "model.safetensors";
            bool same = File.ReadAllBytes(Path.Combine(before, weights)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(undone, weights)));
            context.Out.WriteLine(same ? $"model/{weights} and undone/{weights} are the same, byte for byte" : $"model/{weights} and undone/{weights} differ");
            if (keep is not null) context.Out.WriteLine($"the models are in {keep}");
            return verified == 0 && same ? 0 : 1;
        }
        finally
        {
            if (keep is null) Directory.Delete(folder, recursive: true);
        }
    }

    private static void Heading(CommandContext context, string text)
    {
        context.Out.WriteLine();
        context.Out.MarkupLineInterpolated($"[bold]## {text}[/]");
        context.Out.WriteLine();
    }
}

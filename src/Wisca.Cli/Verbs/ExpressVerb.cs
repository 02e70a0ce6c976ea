using System.CommandLine;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Cli.CommandLine;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca express ADAPTER --base DIR --for original --out DIR</c>: moves an adapter
/// to the other of two equivalent bases.</summary>
internal static class ExpressVerb
{
    public static Command Create(CommandContext context)
    {
        var adapter = SharedOptions.Adapter();
        var model = new Option<string>("--base")
        {
            Description = "The rescaled base, whose wisca.json tells the factors.",
            HelpName = "DIR",
            Required = true,
        };
        var target = new Option<string>("--for")
        {
            Description = "original: for the base as it was before it was rescaled; rescaled: for the base as it is.",
            HelpName = "WHICH",
            Required = true,
        };
        target.AcceptOnlyFromAmong("original", "rescaled");
        var output = SharedOptions.Output();
        var force = SharedOptions.Force();
        var json = SharedOptions.Json();
        var command = new Command("express", "Write a LoRA adapter for the original base, or for the rescaled one.")
        {
            adapter, model, target, output, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var gauge = parsed.GetRequiredValue(target) == "original" ? AdapterGauge.Original : AdapterGauge.Rescaled;
            return Run(
                context, parsed.GetRequiredValue(adapter), parsed.GetRequiredValue(model), gauge, parsed.GetRequiredValue(output),
                parsed.GetValue(force), parsed.GetValue(json), cancellation);
        }));
        return command;
    }

    public static int Run(
        CommandContext context, string adapterFolder, string model, AdapterGauge gauge, string output, bool force, bool json,
        CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(model);
        using var adapter = Adapter.Open(adapterFolder);
        AdapterRescaler.Express(adapter.Bind(checkpoint), gauge, output, force, cancellation);
        string which = gauge == AdapterGauge.Original ? "original" : "rescaled";
        if (json)
            context.WriteJson(
                new JsonObject
                {
                    ["adapter"] = adapter.Folder,
                    ["base"] = checkpoint.Folder,
                    ["for"] = which,
                    ["output"] = output,
                });
        else context.Out.WriteLine($"{output}: the adapter, for the {which} base");
        return 0;
    }
}

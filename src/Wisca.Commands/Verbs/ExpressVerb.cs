using System.CommandLine;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;

namespace Wisca.Commands.Verbs;

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
        target.AcceptOnlyFromAmong(SharedOptions.Names<AdapterGauge>());
        var output = SharedOptions.Output();
        var partial = SharedOptions.AllowPartial();
        var force = SharedOptions.Force();
        var json = SharedOptions.Json();
        var command = new Command("express", "Write a LoRA adapter for the original base, or for the rescaled one.")
        {
            adapter, model, target, output, partial, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var arguments = new ExpressArguments
            {
                Adapter = parsed.GetRequiredValue(adapter),
                Model = parsed.GetRequiredValue(model),
                Gauge = EnumNames.Parse<AdapterGauge>(parsed.GetRequiredValue(target)),
                Output = parsed.GetRequiredValue(output),
                AllowPartial = parsed.GetValue(partial),
                Force = parsed.GetValue(force),
                Json = parsed.GetValue(json),
            };
            return Run(context, arguments, cancellation);
        }));
        return command;
    }

    public static int Run(CommandContext context, ExpressArguments arguments, CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(arguments.Model);
        context.NoteAdapter(arguments.Model);
        using var adapter = Adapter.Open(arguments.Adapter);
        var (gauge, output) = (arguments.Gauge, arguments.Output);
        var binding = adapter.Bind(checkpoint, arguments.AllowPartial);
        AdapterRescaler.Express(binding, gauge, output, arguments.Force, cancellation);
        context.Written.Add(output);
        if (arguments.Json)
            context.WriteJson(
                new JsonObject
                {
                    ["adapter"] = adapter.Folder,
                    ["base"] = checkpoint.Folder,
                    ["for"] = gauge.Name(),
                    ["output"] = output,
                    ["notes"] = AdapterNotes.Json(AdapterNotes.Of(binding)),
                });
        else
        {
            context.Out.WriteLine($"{output}: the adapter, for the {gauge.Name()} base");
            foreach (string note in AdapterNotes.Of(binding)) context.Out.WriteLine(note);
        }

        return 0;
    }
}

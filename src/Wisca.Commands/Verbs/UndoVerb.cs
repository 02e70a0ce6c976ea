using System.CommandLine;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Rescaling;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca undo MODEL --out DIR</c>: takes the moves of a ledger back.</summary>
internal static class UndoVerb
{
    public static Command Create(CommandContext context)
    {
        var model = new Argument<string>("MODEL") { Description = "A model's folder, or an adapter's, with a wisca.json in it." };
        var output = SharedOptions.Output();
        var force = SharedOptions.Force();
        var threads = SharedOptions.Threads();
        var json = SharedOptions.Json();
        var command = new Command("undo", "Take back what wisca did to a model or an adapter, as wisca.json tells.")
        {
            model, output, force, threads, json,
        };
        command.SetAction(
            (parsed, cancellation) =>
                Task.Run(() =>
                    Run(
                        context,
                        new UndoArguments
                        {
                            Model = parsed.GetRequiredValue(model),
                            Output = parsed.GetRequiredValue(output),
                            Force = parsed.GetValue(force),
                            Threads = parsed.GetValue(threads),
                            Json = parsed.GetValue(json),
                        },
                        cancellation)));
        return command;
    }

    public static int Run(CommandContext context, UndoArguments arguments, CancellationToken cancellation)
    {
        var (model, output, force, threads) = (arguments.Model, arguments.Output, arguments.Force, arguments.Threads);
        using var adapter = Adapter.IsAdapter(model) ? Adapter.Open(model) : null;
        using var checkpoint = adapter is null ? Checkpoint.Open(model) : null;
        var result = ProgressBar.Run(context, report =>
        {
            var progress = new DirectProgress<RescaleProgress>(step => report("undoing", step.Done, step.Total));
            return adapter is not null
                ? AdapterRescaler.Undo(adapter, output, force, threads, progress, cancellation)
                : Undoer.Undo(checkpoint!, output, force, threads, progress, cancellation);
        });
        context.Written.Add(output);
        if (arguments.Json)
        {
            context.WriteJson(new JsonObject
            {
                ["model"] = adapter?.Folder ?? checkpoint!.Folder,
                ["output"] = output,
                ["moves"] = result.Moves,
                ["bit_exact"] = Format.Json(result.BitExactTensors),
                ["to_rounding"] = Format.Json(result.RoundedTensors),
                ["trained_since"] = Format.Json(result.TrainedTensors),
                ["not_copied"] = Format.Json(result.SideFiles),
                ["not_checked"] = Format.Json(result.SideFiles.Unknown),
            });
            return 0;
        }

        int tensors = result.BitExactTensors.Length + result.RoundedTensors.Length + result.TrainedTensors.Length;
        context.Out.WriteLine($"{output}: {Format.Count(result.Moves, "move")} undone in {Format.Count(tensors, "tensor")}");
        if (result.BitExactTensors.Length > 0)
            context.Out.WriteLine(
                $"bit for bit: {Format.Count(result.BitExactTensors.Length, "tensor")} (their digests are the original ones)");
        if (result.RoundedTensors.Length > 0)
            context.Out.WriteLine(
                $"to rounding: {Format.Count(result.RoundedTensors.Length, "tensor")}, as they were rotated or their factors no powers "
                + $"of two: {Some(result.RoundedTensors)}");
        if (result.TrainedTensors.Length > 0)
            context.Out.WriteLine(
                $"trained:     {Format.Count(result.TrainedTensors.Length, "tensor")} trained or edited since the first move, and what "
                + $"changed is kept, in the original gauge: {Some(result.TrainedTensors)}");
        foreach (string line in Format.Lines(result.SideFiles)) context.Out.WriteLine(line);
        return 0;
    }

    private static string Some(IReadOnlyList<string> names)
    {
        const int most = 3;
        return string.Join(", ", names.Take(most).Select(PrintableText.Of)) + (names.Count > most ? ", ..." : "");
    }
}

using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca rotate MODEL --out DIR</c>: writes an equivalent model in other bases.</summary>
internal static class RotateVerb
{
    private const string Nothing = "none";

    public static Command Create(CommandContext context)
    {
        var model = SharedOptions.Model();
        var output = SharedOptions.Output();
        var stream = Basis(
            "--stream", "The basis of the residual stream: weights (their eigenvectors), hadamard, random or none.", BasisSource.Balanced);
        stream.DefaultValueFactory = _ => BasisSource.Weights.Name();
        var heads = Basis(
            "--heads",
            "The basis of every head's values, and of its queries and keys where RoPE does not act: likewise, or balanced, by a matrix "
            + "between the two sides that makes them equal.");
        heads.DefaultValueFactory = _ => Nothing;
        var gains = new Option<string>("--gains")
        {
            Description = "The gains of norms: follow (they are mixed as channels are) or fold (they become ones).",
            HelpName = "HOW",
            DefaultValueFactory = _ => GainPolicy.Follow.Name(),
        };
        gains.AcceptOnlyFromAmong(SharedOptions.Names<GainPolicy>());
        var seed = SharedOptions.Number("--seed", "What random bases depend on.", "N", 0L, long.MaxValue);
        var layers = new Option<string>("--layers")
        {
            Description = "The layers whose heads are rotated, such as 0-3,8,30-.",
            DefaultValueFactory = _ => "all",
            HelpName = "RANGE",
        };
        var adapter = new Option<string?>("--adapter")
        {
            Description = "A LoRA adapter of the model, which turns with it; written to --adapter-out.",
            HelpName = "DIR",
        };
        var adapterOutput = new Option<string?>("--adapter-out") { Description = "The folder to write the adapter to.", HelpName = "DIR" };
        var partial = SharedOptions.AllowPartial();
        var threads = SharedOptions.Threads();
        var architecture = SharedOptions.Architecture();
        var force = SharedOptions.Force();
        var json = SharedOptions.Json();
        var command = new Command("rotate", "Write an equivalent model in another basis of its residual stream or its heads.")
        {
            model, output, stream, heads, gains, seed, layers, adapter, adapterOutput, partial, threads, architecture, force, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var arguments = new RotateArguments
            {
                Model = parsed.GetRequiredValue(model),
                Output = parsed.GetRequiredValue(output),
                Options = new RotateOptions
                {
                    Stream = Parse(parsed.GetValue(stream)!),
                    Heads = Parse(parsed.GetValue(heads)!),
                    Gains = EnumNames.Parse<GainPolicy>(parsed.GetValue(gains)!),
                    Seed = (ulong)parsed.GetValue(seed),
                    Layers = new LayerRange(parsed.GetValue(layers)!),
                    Threads = parsed.GetValue(threads),
                },
                Table = SharedOptions.Table(parsed.GetValue(architecture)),
                Adapter = parsed.GetValue(adapter),
                AdapterOutput = parsed.GetValue(adapterOutput),
                AllowPartial = parsed.GetValue(partial),
                Force = parsed.GetValue(force),
                Json = parsed.GetValue(json),
            };
            if (arguments.Options is { Stream: null, Heads: null })
                throw new UsageException("--stream and --heads are both none: there is nothing to do.");
            if ((arguments.Adapter is null) != (arguments.AdapterOutput is null))
                throw new UsageException("--adapter and --adapter-out belong together: give both.");
            if (arguments.Options.Heads is null && parsed.GetResult(layers) is { Implicit: false })
                throw new UsageException("--layers chooses among heads, and --heads is none: the residual stream is one for all layers.");
            return Run(context, arguments, cancellation);
        }));
        return command;
    }

    public static int Run(CommandContext context, RotateArguments arguments, CancellationToken cancellation)
    {
        var (output, options) = (arguments.Output, arguments.Options);
        using var checkpoint = Checkpoint.Open(arguments.Model);
        using var adapter = arguments.Adapter is null ? null : Adapter.Open(arguments.Adapter);
        var clock = Stopwatch.StartNew();

        // A range that does not fit is a mistake of the command line, not of the model.
        if (!options.Layers.TryResolve(ModelLayout.Resolve(checkpoint, arguments.Table).Layers.Length, out _, out string? mistake))
            throw new UsageException(mistake);
        var binding = adapter?.Bind(checkpoint, arguments.AllowPartial);
        var result = ProgressBar.Run(context, report =>
        {
            var progress = new DirectProgress<RescaleProgress>(step => report("rotating", step.Done, step.Total));
            return binding is not null
                ? AdapterRescaler.Rotate(
                    binding, output, arguments.AdapterOutput!, options, arguments.Force, arguments.Table, progress, cancellation)
                : Rotator.Rotate(checkpoint, output, options, arguments.Force, arguments.Table, progress, cancellation);
        });
        context.Written.AddRange(new[] { output, arguments.AdapterOutput }.OfType<string>());
        if (arguments.Json)
        {
            var report = new JsonObject
            {
                ["model"] = checkpoint.Folder,
                ["output"] = output,
                ["rotated"] = new JsonArray(
                [
                    .. result.Spaces.Select(space => (JsonNode?)new JsonObject
                    {
                        ["space"] = space.Name,
                        ["kind"] = space.Kind.Name(),
                        ["size"] = space.Size,
                    }),
                ]),
                ["tensors"] = result.Tensors,
                ["imbalance_before"] = result.Imbalance?.Before,
                ["imbalance_after"] = result.Imbalance?.After,
                ["refused"] = new JsonArray(
                [
                    .. result.Refusals.Select(refusal => (JsonNode?)new JsonObject
                    {
                        ["kind"] = refusal.Kind.Name(),
                        ["layers"] = Format.Json(refusal.Layers),
                        ["reason"] = refusal.Reason,
                    }),
                ]),
                ["not_copied"] = Format.Json(result.SideFiles),
                ["not_checked"] = Format.Json(result.SideFiles.Unknown),
            };
            if (arguments.AdapterOutput is not null) report["adapter_output"] = arguments.AdapterOutput;
            if (binding is not null) report["notes"] = AdapterNotes.Json(AdapterNotes.Of(binding));
            context.WriteJson(report);
            return 0;
        }

        foreach (var spaces in result.Spaces.GroupBy(space => (space.Kind, space.Size)))
            context.Out.WriteLine(
                spaces.Key.Kind == RotationKind.Stream
                    ? $"rotated: the residual stream, {spaces.Key.Size} channels"
                    : $"rotated: {Format.Count(spaces.Count(), "space")} {spaces.Key.Kind.Name()} of {spaces.Key.Size} channels");
        if (result.Imbalance is var (before, after))
            context.Out.WriteLine($"imbalance of the heads' sides, |P - Q| / (|P| + |Q|): {before:0.0000} -> {after:0.0000}");
        foreach (var refusal in result.Refusals.Where(refusal => Wanted(options, refusal.Kind)))
            context.Out.WriteLine(
                PrintableText.Of(
                    $"refused: {refusal.Kind.Name()}{(refusal.Layers.IsEmpty ? "" : $" in layers {Format.Ranges(refusal.Layers)}")}: "
                    + refusal.Reason));
        foreach (string line in Format.Lines(result.SideFiles)) context.Out.WriteLine(line);
        context.Out.WriteLine(
            $"{output}: {Format.Bytes(result.WrittenBytes)} in {clock.Elapsed.TotalSeconds:0.0} s; "
            + $"{Format.Count(result.Tensors, "tensor")} equal to rounding, and undo gives them back to rounding");
        if (arguments.AdapterOutput is { } moved) context.Out.WriteLine($"{moved}: the adapter, for the rotated model");
        foreach (string note in binding is null ? [] : AdapterNotes.Of(binding)) context.Out.WriteLine(note);
        return 0;
    }

    private static bool Wanted(RotateOptions options, RotationKind kind) =>
        kind == RotationKind.Stream ? options.Stream is not null : options.Heads is not null;

    private static Option<string> Basis(string name, string description, params BasisSource[] without)
    {
        var option = new Option<string>(name) { Description = description, HelpName = "BASIS" };
        option.AcceptOnlyFromAmong([.. SharedOptions.Names<BasisSource>().Except(without.Select(source => source.Name())), Nothing]);
        return option;
    }

    private static BasisSource? Parse(string name) => name == Nothing ? null : EnumNames.Parse<BasisSource>(name);
}

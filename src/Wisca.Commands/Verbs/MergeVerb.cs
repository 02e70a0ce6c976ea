using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Adapters;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Rescaling;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca merge BASE ADAPTER --out DIR</c>: adds an adapter to its base's weights.</summary>
internal static class MergeVerb
{
    private const int DefaultTokens = 64;

    public static Command Create(CommandContext context, IModelRunner? runner)
    {
        var model = SharedOptions.Model("BASE");
        var adapter = SharedOptions.Adapter();
        var output = SharedOptions.Output();
        var tokens = SharedOptions.Number(
            "--tokens",
            "Run base with adapter and merged model on this many random tokens and compare their logits (default: "
            + $"{DefaultTokens}; 0 for not at all).",
            "N", 0, 1_000_000);
        tokens.DefaultValueFactory = _ => DefaultTokens;
        var seed = SharedOptions.Number("--seed", "Seed of the random tokens.", "S", 0, int.MaxValue);
        seed.DefaultValueFactory = _ => 0;
        var partial = SharedOptions.AllowPartial();
        var force = SharedOptions.Force();
        var threads = SharedOptions.Threads();
        var json = SharedOptions.Json();
        var command = new Command("merge", "Write a model with a LoRA adapter merged into its weights.")
        {
            model, adapter, output, tokens, seed, partial, force, threads, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(
            context,
            runner,
            new MergeArguments
            {
                Model = parsed.GetRequiredValue(model),
                Adapter = parsed.GetRequiredValue(adapter),
                Output = parsed.GetRequiredValue(output),
                Tokens = parsed.GetValue(tokens),
                Seed = (ulong)parsed.GetValue(seed),
                AllowPartial = parsed.GetValue(partial),
                Force = parsed.GetValue(force),
                Threads = parsed.GetValue(threads),
                Json = parsed.GetValue(json),
            },
            cancellation)));
        return command;
    }

    private static int Run(
        CommandContext context, IModelRunner? runner, MergeArguments arguments, CancellationToken cancellation)
    {
        string output = arguments.Output;
        using var checkpoint = Checkpoint.Open(arguments.Model);
        using var adapter = Adapter.Open(arguments.Adapter);
        if (adapter.Folder != checkpoint.Folder) context.NoteAdapter(arguments.Model);
        var binding = adapter.Bind(checkpoint, arguments.AllowPartial, runner?.Decomposition);
        var result = ProgressBar.Run(
            context,
            report =>
                Merger.Merge(
                    binding,
                    output,
                    arguments.Force,
                    arguments.Threads,
                    new DirectProgress<RescaleProgress>(step => report("merging", step.Done, step.Total)),
                    cancellation));
        var (proof, reason) = ProgressBar.Run(
            context,
            report => Compare(runner, binding, arguments, ProgressBar.Share("comparing", checkpoint, report), cancellation));
        context.Written.Add(output);
        if (arguments.Json)
        {
            context.WriteJson(new JsonObject
            {
                ["model"] = checkpoint.Folder,
                ["adapter"] = adapter.Folder,
                ["output"] = output,
                ["merged"] = result.Merged,
                ["replaced"] = result.Replaced,
                ["tokens"] = proof?.Tokens,
                ["max_logit_difference"] = Format.Json(proof?.MaxDifference),
                ["max_logit"] = Format.Json(proof?.MaxLogit),
                ["rounding"] = proof?.Rounding is { } noise ? Format.Json(noise) : null,
                ["precision"] = proof?.Precision,
                ["equivalent"] = proof?.Equivalent,
                ["not_compared"] = reason,
                ["not_copied"] = Format.Json(result.SideFiles),
                ["not_checked"] = Format.Json(result.SideFiles.Unknown),
                ["notes"] = AdapterNotes.Json([.. AdapterNotes.Of(binding), .. AdapterNotes.OfMerged(binding)]),
            });
        }
        else
        {
            context.Out.WriteLine(
                $"{output}: {Format.Bytes(result.WrittenBytes)}; {Format.Count(result.Merged, "module")} "
                + $"merged{(result.Replaced > 0 ? $", {Format.Count(result.Replaced, "tensor")} replaced" : "")}");
            foreach (string note in AdapterNotes.Of(binding).Concat(AdapterNotes.OfMerged(binding))) context.Out.WriteLine(note);
            context.Out.WriteLine(
                proof is null
                    ? $"logits not compared: {reason}"
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"max |difference of logits| {proof.MaxDifference:0.0e+00} of max |logit| {proof.MaxLogit:0.00} between base with "
                        + $"adapter and merged model, on {proof.Tokens} random tokens, in {proof.Precision}"));
            if (proof?.Rounding is { } rounding) context.Out.WriteLine(Format.Rounding(rounding));
            if (proof is { Equivalent: false }) context.Out.WriteLine($"NOT equivalent: {proof.Reason}");
            foreach (string line in Format.Lines(result.SideFiles)) context.Out.WriteLine(line);
        }

        return proof is { Equivalent: false } ? 1 : 0;
    }

    /// <summary>Runs both; or says why that is not possible, which does not make the merged model wrong.</summary>
    private static (ForwardProofReport? Proof, string? Reason) Compare(
        IModelRunner? runner, AdapterBinding binding, MergeArguments arguments, IProgress<double> progress, CancellationToken cancellation)
    {
        if (arguments.Tokens < 2) return (null, "not asked for (--tokens N)");
        if (runner is null) return (null, Elsewhere.NeedsLibtorch("running a model").Message);
        try
        {
            using var merged = Checkpoint.Open(arguments.Output);
            int[] ids = runner.RandomTokens(merged, arguments.Tokens, arguments.Seed);
            var options = new ModelRunOptions(arguments.Threads) { Adapter = binding };
            return (runner.Compare(binding.Checkpoint, merged, ids, options, progress, cancellation), null);
        }
        catch (WiscaException exception)
        {
            return (null, exception.Message);
        }
    }
}

using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Commands.CommandLine;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca inspect MODEL</c>: what the model is, how balanced it is, and what is exact.</summary>
internal static class InspectVerb
{
    public static Command Create(CommandContext context)
    {
        var model = SharedOptions.Model();
        var json = SharedOptions.Json();
        var architecture = SharedOptions.Architecture();
        var outliers = new Option<bool>("--outliers")
        {
            Description = "Show for every matrix how far single weights and channels stand out, as quantisation meets them.",
        };
        var against = new Option<string?>("--against")
        {
            Description = "With --outliers: the same model rotated, to show both.",
            HelpName = "DIR",
        };
        var threads = SharedOptions.Threads();
        var command = new Command("inspect", "Show a model's attention norms, and which transitions are exact.")
        {
            model, outliers, against, architecture, threads, json,
        };
        command.SetAction(
            (parsed, cancellation) =>
                Task.Run(() =>
                {
                    if (parsed.GetValue(against) is not null && !parsed.GetValue(outliers))
                        throw new UsageException("--against is compared by outliers: give --outliers too.");
                    return Run(
                        context, parsed.GetRequiredValue(model), SharedOptions.Table(parsed.GetValue(architecture)),
                        parsed.GetValue(threads), parsed.GetValue(json), cancellation, parsed.GetValue(outliers),
                        parsed.GetValue(against));
                }));
        return command;
    }

    public static int Run(
        CommandContext context, string model, ArchitectureTable? table, int threads, bool json, CancellationToken cancellation,
        bool outliers = false, string? against = null)
    {
        using var checkpoint = Checkpoint.Open(model);
        context.NoteAdapter(model);
        var inspection = ProgressBar.Run(context, report => Inspector.Inspect(
            checkpoint, table, threads, ProgressBar.Share("inspecting", checkpoint, report), cancellation));
        var moves = Ledger.Load(checkpoint.Folder)?.Moves.Count ?? 0;
        var rotations = Rotator.Plan(checkpoint, inspection.Layout);
        var pairs = outliers ? Outliers(context, checkpoint, against, threads, cancellation) : null;
        if (json)
        {
            var report = ToJson(checkpoint, inspection, rotations, moves);
            if (against is not null) report["against"] = against;
            if (pairs is not null) report["outliers"] = OutlierTable.Json(pairs);
            context.WriteJson(report);
            return 0;
        }

        Print(context.Out, model, checkpoint, inspection, rotations, moves);
        if (pairs is not null) OutlierTable.Print(context.Out, pairs);
        return 0;
    }

    private static IReadOnlyList<(TensorOutliers Own, TensorOutliers? Other)> Outliers(
        CommandContext context, Checkpoint checkpoint, string? against, int threads, CancellationToken cancellation)
    {
        using var other = against is null ? null : Checkpoint.Open(against);
        return OutlierTable.Pair(Measured(checkpoint), other is null ? null : Measured(other), against);

        ImmutableArray<TensorOutliers> Measured(Checkpoint model) => ProgressBar.Run(
            context, report => OutlierMeter.Measure(model, threads, ProgressBar.Share("outliers", model, report), cancellation));
    }

    private static void Print(
        IAnsiConsole console, string model, Checkpoint checkpoint, ModelInspection inspection, RotationPlan rotations, int moves)
    {
        var layout = inspection.Layout;
        var facts = new Grid().AddColumn().AddColumn();
        // No markup here: its parser makes a table of all emoji, which takes a tenth of the time.
        void Fact(string name, string value) => facts.AddRow(new Text(name, new Style(Color.Grey)), new Text(value));
        Fact("model", model);
        Fact("architecture", $"{layout.Table.Name} (model_type {checkpoint.Config.ModelType})");
        Fact(
            "parameters",
            $"{Format.Count(checkpoint.ParameterCount)} stored as {string.Join(", ", Dtypes(checkpoint))} in {checkpoint.Shards.Length} "
            + $"{(checkpoint.Shards.Length == 1 ? "file" : "shards")}");
        Fact("attention", $"{layout.Layers.Length} layers, {layout.Heads} heads, {layout.KvHeads} kv heads, head_dim {layout.HeadDim}");
        Fact("RoPE", Rope(layout));
        if (moves > 0) Fact("ledger", $"{Format.Count(moves, "move")} by wisca; 'wisca undo' takes {(moves == 1 ? "it" : "them")} back");
        console.Write(facts);

        var rows = new Table().Border(TableBorder.Simple).AddColumn(new TableColumn(new Text("layer")));
        foreach (string header in (string[])["|W_q|₁", "|W_k|₁", "ratio", "|W_v|₁", "|W_o|₁", "ratio"])
            rows.AddColumn(new TableColumn(new Text(header)).RightAligned());
        foreach (var layer in inspection.Layers)
        {
            string[] cells =
            [
                $"{layer.Layer}", Norm(layer.Query), Norm(layer.Key), Ratio(layer.QueryKeyRatio), Norm(layer.Value), Norm(layer.Output),
                Ratio(layer.ValueOutputRatio),
            ];
            rows.AddRow([.. cells.Select(cell => new Text(cell))]);
        }

        console.Write(rows);
        foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds])
        {
            foreach (
                var group in inspection
                    .Layers.GroupBy(layer => string.Join(", ", Exact(layer, kind).Select(EnumNames.Name)))
                    .Where(group => group.Key.Length > 0))
                console.WriteLine($"exact    {kind.Name()}: {group.Key} {Layers(group, layout)}");
            foreach (var group in inspection.Layers.Where(layer => layer.Refusals.ContainsKey(kind)).GroupBy(layer => layer.Refusals[kind]))
                console.WriteLine(PrintableText.Of($"refused  {kind.Name()}: {group.Key} {Layers(group, layout)}"));
        }

        foreach (var kind in (TransitionKind[])[TransitionKind.UpDown, TransitionKind.NormGain, TransitionKind.QueryKeyNorm])
        {
            foreach (
                var group in inspection.Layers.Where(layer => Found(layer, kind) is { Exact.IsEmpty: false })
                    .GroupBy(layer => string.Join(", ", Found(layer, kind)!.Exact.Select(EnumNames.Name))))
                console.WriteLine($"exact    {kind.Name()}: {group.Key} {Layers(group, layout)}");
            foreach (
                var group in inspection.Layers.SelectMany(layer => Found(layer, kind)?.Refused ?? [], (layer, reason) => (layer, reason))
                    .GroupBy(entry => entry.reason, entry => entry.layer))
                console.WriteLine(PrintableText.Of($"refused  {kind.Name()}: {group.Key} {Layers(group, layout)}"));
        }

        if (inspection.LastNorm is { } last)
        {
            if (!last.Exact.IsEmpty)
                console.WriteLine(
                    $"exact    {TransitionKind.NormGain.Name()}: {string.Join(", ", last.Exact.Select(EnumNames.Name))} (last norm)");
            foreach (string reason in last.Refused)
                console.WriteLine(PrintableText.Of($"refused  {TransitionKind.NormGain.Name()}: {reason} (last norm)"));
        }

        if (rotations.Spaces.Length > 0)
            console.WriteLine($"rotates  {string.Join(", ", rotations.Spaces.Select(space => space.Kind.Name()).Distinct())}");
        // Where RoPE acts, queries and keys have no basis to choose; that is no news.
        foreach (var refusal in rotations.Refusals.Where(refusal => refusal.Kind != RotationKind.QueryKey))
        {
            string where = refusal.Layers.IsEmpty ? ""
                : refusal.Layers.Length == layout.Layers.Length ? " (all layers)"
                : $" (layers {Format.Ranges(refusal.Layers)})";
            console.WriteLine(PrintableText.Of($"refused  rotation of {refusal.Kind.Name()}: {refusal.Reason}{where}"));
        }

        foreach (string note in layout.Notes) console.WriteLine(PrintableText.Of($"note     {note}"));
    }

    private static string Layers(IEnumerable<LayerInspection> layers, ModelLayout layout)
    {
        int[] indices = [.. layers.Select(layer => layer.Layer)];
        return indices.Length == layout.Layers.Length ? "(all layers)" : $"(layers {Format.Ranges(indices)})";
    }

    private static TransitionFinding? Found(LayerInspection layer, TransitionKind kind) => layer.Others.GetValueOrDefault(kind);

    private static JsonObject ToJson(TransitionFinding finding) => new()
    {
        ["exact"] = Format.Json(finding.Exact.Select(EnumNames.Name)),
        ["refused"] = Format.Json(finding.Refused),
    };

    private static IEnumerable<Granularity> Exact(LayerInspection layer, TransitionKind kind) =>
        kind == TransitionKind.QueryKey ? layer.QueryKeyExact : layer.ValueOutputExact;

    private static IEnumerable<string> Dtypes(Checkpoint checkpoint) =>
        checkpoint
            .Tensors.GroupBy(tensor => tensor.Info.Dtype)
            .OrderByDescending(group => group.Sum(tensor => tensor.Info.ElementCount))
            .Select(group => group.Key.ToString());

    private static string Rope(ModelLayout layout)
    {
        int[] rotating = [.. layout.Layers.Where(layer => layer.RotaryDims > 0).Select(layer => layer.Index)];
        if (rotating.Length == 0) return "none";
        string where = rotating.Length == layout.Layers.Length ? "" : $" in layers {Format.Ranges(rotating)}";
        string pairs = layout.RopePairs.Name();
        return $"{pairs} pairs on {layout.Layers[rotating[0]].RotaryDims} of {layout.HeadDim} channels{where}";
    }

    private static string Norm(double? value) => value?.ToString("0.0", CultureInfo.InvariantCulture) ?? "-";

    private static string Ratio(double? value) => value is { } ratio ? Format.Ratio(ratio) : "-";

    private static JsonObject ToJson(Checkpoint checkpoint, ModelInspection inspection, RotationPlan rotations, int moves)
    {
        var layout = inspection.Layout;
        return new JsonObject
        {
            ["model"] = checkpoint.Folder,
            ["model_type"] = checkpoint.Config.ModelType,
            ["architecture"] = layout.Table.Name,
            ["parameters"] = checkpoint.ParameterCount,
            ["dtypes"] = Format.Json(Dtypes(checkpoint)),
            ["shards"] = Format.Json(checkpoint.Shards.Select(shard => Path.GetFileName(shard.FullPath))),
            ["hidden_size"] = layout.HiddenSize,
            ["heads"] = layout.Heads,
            ["kv_heads"] = layout.KvHeads,
            ["head_dim"] = layout.HeadDim,
            ["rope_pairs"] = layout.RopePairs.Name(),
            ["moves"] = moves,
            ["notes"] = Format.Json(layout.Notes),
            ["rotations"] = new JsonObject
            {
                ["exact"] = Format.Json(rotations.Spaces.Select(space => space.Kind.Name()).Distinct()),
                ["refused"] = new JsonArray(
                [
                    .. rotations.Refusals.Select(refusal => (JsonNode?)new JsonObject
                    {
                        ["kind"] = refusal.Kind.Name(),
                        ["layers"] = Format.Json(refusal.Layers),
                        ["reason"] = refusal.Reason,
                    }),
                ]),
            },
            ["last_norm"] = inspection.LastNorm is { } last ? ToJson(last) : null,
            ["layers"] = new JsonArray(
            [
                .. inspection.Layers.Select(layer => (JsonNode?)new JsonObject
                {
                    ["layer"] = layer.Layer,
                    ["rotary_dims"] = layout.Layers[layer.Layer].RotaryDims,
                    ["l1"] = new JsonObject
                    {
                        ["q"] = Format.Json(layer.Query),
                        ["k"] = Format.Json(layer.Key),
                        ["v"] = Format.Json(layer.Value),
                        ["o"] = Format.Json(layer.Output),
                    },
                    ["ratio"] = new JsonObject
                    {
                        [TransitionKind.QueryKey.Name()] = Format.Json(layer.QueryKeyRatio),
                        [TransitionKind.ValueOutput.Name()] = Format.Json(layer.ValueOutputRatio),
                    },
                    ["exact"] = new JsonObject
                    {
                        [TransitionKind.QueryKey.Name()] = Format.Json(layer.QueryKeyExact.Select(EnumNames.Name)),
                        [TransitionKind.ValueOutput.Name()] = Format.Json(layer.ValueOutputExact.Select(EnumNames.Name)),
                    },
                    ["others"] = new JsonObject(
                        layer.Others.OrderBy(entry => entry.Key)
                            .Select(entry => KeyValuePair.Create(entry.Key.Name(), (JsonNode?)ToJson(entry.Value)))),
                    ["refused"] = new JsonObject(
                        layer.Refusals.Select(refusal =>
                            KeyValuePair.Create(refusal.Key.Name(), (JsonNode?)JsonValue.Create(refusal.Value)))),
                }),
            ]),
        };
    }
}

using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures;

/// <summary>
/// A layout with one mistake, taken through the real machinery: the function must break,
/// and the certificate (which knows the right layout) must say so.
/// </summary>
public sealed class LayoutMutationTests
{
    public static TheoryData<string> Families =>
        [.. TinyFamilies.ByName.Values.Where(family => !family.ConfigurationOnly).Select(family => family.Name)];

    [Theory]
    [MemberData(nameof(Families))]
    public void Rescale_LayoutWithOneMistake_BreaksTheFunctionAndTheCertificate(string name)
    {
        var family = TinyFamilies.ByName[name];
        if (family.QueryKeyRefused is not null && family.ValueOutputRefused is not null) return;
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        double[][] before = AttentionOracle.Outputs(family, model);
        var right = ModelLayout.Resolve(model);
        int mistakes = 0;
        foreach (var (mistake, wrong) in Mistakes(family, right).Concat(TableMistakes(model, right)))
        {
            string output = folder[$"wrong-{mistakes++}"];
            Apply(model, wrong, output);
            using var broken = Checkpoint.Open(output);
            string what = $"{name}: {mistake}";
            AttentionOracle.RelativeError(before, AttentionOracle.Outputs(family, broken)).ShouldBeGreaterThan(1e-4, what);
            var certificate = Certifier.Compare(model, broken, threads: 1);
            certificate.Equivalent.ShouldBeFalse(what);
            certificate.Differences.ShouldNotBeEmpty(what);
        }

        mistakes.ShouldBeGreaterThan(1, name);
    }

    [Fact]
    public void Compare_TheWrongTableOfTheRescalingItself_CannotTell()
    {
        // The limit that the certificate's documentation states: it trusts the table.
        var family = TinyFamilies.ByName["phi3"];
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(family, folder["model"]);
        var table = WithOrder(KnownArchitectures.Find("phi3"), "k", "q", "v");
        Rescaler.Rescale(model, folder["out"], new RescaleOptions { QueryKey = Granularity.KvHead }, table: table);
        using var broken = Checkpoint.Open(folder["out"]);
        AttentionOracle
            .RelativeError(AttentionOracle.Outputs(family, model), AttentionOracle.Outputs(family, broken))
            .ShouldBeGreaterThan(1e-2);
        Certifier.Compare(model, broken, table: table).Equivalent.ShouldBeTrue();
        Certifier.Compare(model, broken).Equivalent.ShouldBeFalse();
    }

    private static IEnumerable<(string Mistake, ModelLayout Layout)> Mistakes(TinyFamily family, ModelLayout layout)
    {
        var first = layout.Layers[0];
        int d = layout.HeadDim, sharing = layout.Heads / layout.KvHeads;
        bool queryKey = family.QueryKeyRefused is null, valueOutput = family.ValueOutputRefused is null;
        bool rotates = first.RotaryDims > 0 && queryKey;

        if (queryKey && layout.Heads > 1)
            yield return Change("queries off by one row", layer => layer with { Query = OffByOne(layer.Query) });
        if (queryKey && layout.KvHeads > 1) yield return Change("keys off by one row", layer => layer with { Key = OffByOne(layer.Key) });
        if (valueOutput && layout.KvHeads > 1)
            yield return Change("values off by one row", layer => layer with { Value = OffByOne(layer.Value) });
        if (valueOutput && layout.Heads > 1)
            yield return Change("output off by one column", layer => layer with { Output = OffByOne(layer.Output) });
        if (layout.KvHeads > 1)
        {
            if (queryKey) yield return Change("queries off by one head", layer => layer with { Query = OffByOneHead(layer.Query) });
            if (queryKey) yield return Change("keys off by one head", layer => layer with { Key = OffByOneHead(layer.Key) });
            if (valueOutput) yield return Change("values off by one head", layer => layer with { Value = OffByOneHead(layer.Value) });
            if (valueOutput) yield return Change("output off by one head", layer => layer with { Output = OffByOneHead(layer.Output) });
        }

        yield return Change("keys and values swapped", layer => layer with { Key = layer.Value, Value = layer.Key });
        if (layout.KvHeads > 1 && sharing > 1)
        {
            // tile instead of repeat_interleave: query head h reads kv head h mod kv heads
            if (queryKey) yield return Change("queries tiled", layer => layer with { Query = Tiled(layer.Query) });
            if (valueOutput) yield return Change("output tiled", layer => layer with { Output = Tiled(layer.Output) });
        }

        if (rotates)
        {
            yield return Change("no RoPE", layer => layer with { RotaryDims = 0 });
            if (first.RotaryDims > 2)
            {
                yield return (layout.RopePairs == RopePairs.Half ? "half pairs taken for interleaved" : "interleaved pairs taken for half",
                    layout with { RopePairs = layout.RopePairs == RopePairs.Half ? RopePairs.Interleaved : RopePairs.Half });
                yield return Change("two rotary dims too few", layer => layer with { RotaryDims = Math.Max(0, layer.RotaryDims - 2) });
            }

            if (first.RotaryDims < d && layout.RopePairs == RopePairs.Half)
                yield return Change("two rotary dims too many", layer => layer with { RotaryDims = layer.RotaryDims + 2 });
        }

        if (family.Bias)
        {
            if (queryKey) yield return Change("query bias left behind", layer => layer with { Query = layer.Query with { Bias = null } });

            // Without RoPE q.b_k is the same for all keys, and softmax does not see it.
            if (queryKey && (first.RotaryDims > 0 || family.Sinks is not null))
                yield return Change("key bias left behind", layer => layer with { Key = layer.Key with { Bias = null } });
            if (valueOutput)
                yield return Change("value bias left behind", layer => layer with { Value = layer.Value with { Bias = null } });
        }

        if (family.OutputBias && valueOutput && family.Hidden == family.Heads * d)
            yield return Change("output bias scaled", layer =>
                layer with { Output = layer.Output with { Bias = $"{family.LayerName(layer.Index)}{family.O}.bias" } });
        if (valueOutput && family.Hidden == family.Heads * d)
            yield return Change("output transposed", layer => layer with { Output = layer.Output with { Axis = 1 - layer.Output.Axis } });

        (string, ModelLayout) Change(string mistake, Func<AttentionLayer, AttentionLayer> change) =>
            (mistake, layout with { Layers = [.. layout.Layers.Select(change)] });

        static Projection OffByOne(Projection projection) =>
            projection with
            {
                Starts = projection.Starts.SetItem(0, projection.Starts[0] + 1),
            };

        static Projection OffByOneHead(Projection projection) =>
            projection with
            {
                Starts = [.. projection.Starts.Skip(1), projection.Starts[0]],
            };

        Projection Tiled(Projection projection) => projection with
        {
            Starts = [.. from kvHead in Enumerable.Range(0, layout.KvHeads) from i in Enumerable.Range(0, sharing)
                select projection.Starts[(i * layout.KvHeads) + kvHead]],
        };
    }

    /// <summary>Mistakes that an author of a table makes: the order of a fused projection, and how it interleaves.</summary>
    private static IEnumerable<(string Mistake, ModelLayout Layout)> TableMistakes(Checkpoint model, ModelLayout right)
    {
        if (right.Table.Attention[0].Qkv is null) yield break;
        string[][] orders = [["q", "k", "v"], ["q", "v", "k"], ["k", "q", "v"], ["k", "v", "q"], ["v", "q", "k"], ["v", "k", "q"]];
        foreach (string[] order in orders)
        {
            var wrong = ModelLayout.Resolve(model, WithOrder(right.Table, order));
            if (!SameRows(wrong, right) && !QueriesAndKeysSwapped(wrong)) yield return ($"order {string.Join(",", order)}", wrong);
        }

        foreach (string blocks in (string[])["1", "2", "4", "kv_heads"])
        {
            if (blocks != "kv_heads" && right.KvHeads % int.Parse(blocks) != 0) continue;
            var table = Edit(right.Table, layout => layout["qkv"]!["blocks"] = blocks);
            var wrong = ModelLayout.Resolve(model, table);
            if (!SameRows(wrong, right)) yield return ($"blocks {blocks}", wrong);
        }

        // With as many kv heads as heads, it does not matter which of the two is multiplied and which divided.
        bool QueriesAndKeysSwapped(ModelLayout wrong) =>
            wrong.Layers[0].Query.Starts.SequenceEqual(right.Layers[0].Key.Starts)
            && wrong.Layers[0].Key.Starts.SequenceEqual(right.Layers[0].Query.Starts);
    }

    private static bool SameRows(ModelLayout left, ModelLayout right) =>
        left.Layers[0].Query.Starts.SequenceEqual(right.Layers[0].Query.Starts)
        && left.Layers[0].Key.Starts.SequenceEqual(right.Layers[0].Key.Starts)
        && left.Layers[0].Value.Starts.SequenceEqual(right.Layers[0].Value.Starts);

    private static ArchitectureTable WithOrder(ArchitectureTable table, params string[] order) =>
        Edit(table, layout => layout["qkv"]!["order"] = new JsonArray([.. order.Select(role => JsonValue.Create(role))]));

    private static ArchitectureTable Edit(ArchitectureTable table, Action<JsonNode> edit)
    {
        var json = JsonNode.Parse(table.ToJson())!;
        foreach (var layout in json["attention"]!.AsArray()) edit(layout!);
        return ArchitectureTable.Parse(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), "edited.json");
    }

    /// <summary>Rescales with a layout of the test's own, at the finest granularity that is exact.</summary>
    private static void Apply(Checkpoint model, ModelLayout layout, string output)
    {
        var plan = TransitionPlan.Create(
            layout,
            new RescaleOptions
            {
                QueryKey = Granularity.Pair,
                ValueOutput = Granularity.Channel,
                Threads = 1,
            });
        var progress = new ProgressCounter(null, 0);
        var factors = new Solver(model, plan, LossPolicy.Scale)
            .Solve(1, progress, CancellationToken.None)
            .Factors((tensor, axis) => new MatrixView(model.Find(tensor)!, axis).Length);
        var scales = factors.ToDictionary(entry => entry.Key, entry => (TensorEdit)new TensorScale(entry.Value));
        Directory.CreateDirectory(output);
        using var rewriter = new CheckpointRewriter(model, output, plan.Tensors, progress);
        rewriter.Write(_ => scales, 1, CancellationToken.None);
        File.Copy(Path.Combine(model.Folder, "config.json"), Path.Combine(output, "config.json"));
    }
}

using System.Collections.Immutable;
using Wisca.Attention;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>Moves that the library refuses, done all the same: to see whether they were refused for a cause.</summary>
internal static class ForcedMove
{
    /// <summary>Moves one layer by random factors, whatever its refusals and its RoPE say.</summary>
    public static void Apply(
        Checkpoint model, ModelLayout layout, AttentionLayer layer, TransitionKind kind, Granularity granularity, string output)
    {
        var free = layer with
        {
            Refusals = ImmutableDictionary<TransitionKind, string>.Empty,
            RotaryDims = granularity == Granularity.Channel ? 0 : layer.RotaryDims,
        };
        var exchange = Exchange.TryCompile(layout.Geometry, free, kind, granularity, out string? refusal).ShouldNotBeNull(refusal);
        var plan = new TransitionPlan(new RescaleOptions(), [exchange], []);
        var random = new Random(7);
        var solution = new TransitionSolution(
            plan,
            [[.. exchange.Groups.Select(group => new GroupBalance(group, 1, 1, Factor(random), GroupOutcome.Scaled, null))]]);
        Write(model, solution, output);
    }

    /// <summary>Moves hidden channels of the first layer that has some, as if an activation were of a degree, whatever the table says; or
    /// the last norm against an embedding that is the output projection too.</summary>
    /// <returns>False where there is nothing of the kind.</returns>
    public static bool Apply(Checkpoint model, ModelLayout layout, TransitionKind kind, int degree, string output)
    {
        var map = layout.Map;
        var free = layout with
        {
            Map = kind == TransitionKind.UpDown
                ? map with { Hidden = [.. map.Hidden.Select(hidden => hidden with { Degree = degree })] }
                : map with
                {
                    IsTied = false,
                    Head = map.Embeddings[0],
                    Axes =
                    [
                        .. map.Axes,
                        new WeightAxis(map.Embeddings[0], null, 1, map.HeadReads!, false, false, 0, layout.HiddenSize),
                    ],
                },
            Layers = [.. layout.Layers.Select(layer => layer with { Refusals = ImmutableDictionary<TransitionKind, string>.Empty })],
        };
        var exchanges = new MapExchanges(free);
        var forced = kind == TransitionKind.UpDown
            ? layout.Layers.SelectMany(layer => exchanges.OfMlps(layer.Index, Granularity.Channel, _ => { }))
            : exchanges.OfNorms(MapExchanges.Outside, Granularity.Channel, _ => { });
        if (forced.FirstOrDefault() is not { } exchange) return false;
        var random = new Random(7);
        Write(
            model,
            new TransitionSolution(
                new TransitionPlan(new RescaleOptions(), [exchange], []),
                [[.. exchange.Groups.Select(group => new GroupBalance(group, 1, 1, Factor(random), GroupOutcome.Scaled, null))]]),
            output);
        return true;
    }

    private static double Factor(Random random) => Math.Pow(2, (random.Next(2) * 2 - 1) * (0.5 + random.NextDouble()));

    private static void Write(Checkpoint model, TransitionSolution solution, string output)
    {
        var scales = solution.Factors((tensor, axis) => new MatrixView(model.Find(tensor)!, axis).Length)
            .ToDictionary(entry => entry.Key, entry => (TensorEdit)new TensorScale(entry.Value));
        Directory.CreateDirectory(output);
        using var rewriter = new CheckpointRewriter(model, output, solution.Plan.Tensors, new ProgressCounter(null, 0));
        rewriter.Write(_ => scales, 1, CancellationToken.None);
        File.Copy(Path.Combine(model.Folder, "config.json"), Path.Combine(output, "config.json"));
    }
}

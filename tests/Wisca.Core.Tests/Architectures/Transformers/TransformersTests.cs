using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>
/// The judge: transformers builds and saves a tiny random model of every family, we move it, and transformers says whether its logits
/// stay. What is offered keeps them; what is refused, done all the same, moves them. The outcome is in the repository, for the page of
/// architectures: set WISCA_WRITE_GOLDEN=1 to write it anew.
/// </summary>
/// <remarks>
/// Two classes have half of the model types each, and a Python: classes run side by side, and a type's code is imported once.
/// </remarks>
public abstract class TransformersTests(TransformersProcess transformers) : IClassFixture<TransformersProcess>
{
    // Between the two lies nothing: what is exact differs by rounding, what is not by far more, were it only through a norm's epsilon.
    private const double Kept = 1e-9, Moved = 1e-8, KeptInSingle = 1e-5;

    private static readonly Granularity[] Granularities =
        [Granularity.Tensor, Granularity.KvHead, Granularity.Pair, Granularity.Channel];

    /// <summary>All models; a class of tests has its own in this place.</summary>
    public static TheoryData<string> Models => [.. JudgedModels.ByName.Keys];

    /// <summary>The Python.</summary>
    protected TransformersProcess Transformers => transformers;

    [Theory]
    [MemberData(nameof(Models))]
    public void Rescale_EveryMove_KeepsTheLogitsOrIsRefusedForACause(string name)
    {
        transformers.Require();
        var faults = new List<string>();
        int forcedMoves = 0;
        var judged = JudgedModels.ByName[name];
        using var folder = new TemporaryFolder();
        string made = transformers.Make(judged, "float64");
        using var model = Checkpoint.Open(made);
        var layers = Inspector.Inspect(model, threads: 1).Layers;
        foreach (var granularity in Granularities)
        {
            var queryKey = layers.Any(layer => layer.QueryKeyExact.Contains(granularity)) ? granularity : (Granularity?)null;
            var valueOutput = layers.Any(layer => layer.ValueOutputExact.Contains(granularity)) ? granularity : (Granularity?)null;
            if ((queryKey ?? valueOutput) is not null)
                Keep(model, queryKey, valueOutput, folder[$"exact-{granularity}"], Kept, faults);
        }

        // What stands in the way is the same in many layers: one of each sort will do.
        var layout = ModelLayout.Resolve(model);
        foreach (
            var layer in layout.Layers.DistinctBy(layer =>
                (layer.RotaryDims, layer.Refusals.GetValueOrDefault(TransitionKind.QueryKey),
                    layer.Refusals.GetValueOrDefault(TransitionKind.ValueOutput))))
        {
            if (model.Find(layer.Output.Weight) is null) continue;
            foreach (var kind in AttentionGeometry.Kinds)
            {
                foreach (var granularity in Granularities)
                {
                    if (granularity == Granularity.Pair && kind == TransitionKind.ValueOutput) continue;
                    if (Exchange.TryCompile(layout.Geometry, layer, kind, granularity, out string? reason) is not null) continue;
                    reason!.ShouldNotContain("is not in the table");
                    string forced = folder[$"forced-{layer.Index}-{kind}-{granularity}"];
                    ForcedMove.Apply(model, layout, layer, kind, granularity, forced);
                    double difference = transformers.Compare(made, forced);
                    forcedMoves++;
                    if (difference <= Moved)
                        faults.Add($"{kind} {granularity} in layer {layer.Index} moves by {difference} only, yet is refused: {reason}");
                }
            }
        }

        if (layers.Any(layer => !layer.QueryKeyExact.IsEmpty || !layer.ValueOutputExact.IsEmpty))
        {
            string inSingle = transformers.Make(judged, "float32");
            using var single = Checkpoint.Open(inSingle);
            Keep(single, Granularity.Pair, Granularity.Channel, folder["single-exact"], KeptInSingle, faults);
        }

        faults.ShouldBeEmpty();
        var judgement = new Judgement(
            judged.ModelType,
            Granularities.Where(granularity => layers.Any(layer => layer.QueryKeyExact.Contains(granularity))),
            Granularities.Where(granularity => layers.Any(layer => layer.ValueOutputExact.Contains(granularity))),
            forcedMoves);
        if (Judgements.Written) Judgements.Write(transformers.Version, name, judgement);
        Judgements.Read().Version.ShouldBe(transformers.Version);
        Judgements.Read().ByModel[name].ToString().ShouldBe(judgement.ToString());
    }

    /// <summary>MLPs, norms, gains of queries and keys, alone and all at once; what is refused, done all the same.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void Scale_MlpsAndNorms_KeepTheLogitsOrAreRefusedForACause(string name)
    {
        transformers.Require();
        var judged = JudgedModels.ByName[name];
        using var folder = new TemporaryFolder();
        string made = transformers.Make(judged, "float64");
        using var model = Checkpoint.Open(made);
        var layout = ModelLayout.Resolve(model);
        var faults = new List<string>();
        var outcome = new SortedSet<string>(StringComparer.Ordinal);
        var none = new RescaleOptions { QueryKey = null, ValueOutput = null, Threads = 1 };
        foreach (var granularity in (Granularity[])[Granularity.Tensor, Granularity.Channel])
        {
            Try($"mlp-{granularity}", none with { Mlp = granularity });
            Try($"norms-{granularity}", none with { Norms = granularity });
        }

        Try("all", (RescaleOptions)new RescaleOptions { Threads = 1 }.WithAll());
        int forced = 0;
        foreach (var hidden in layout.Map.Hidden.Where(hidden => hidden.Layer is not null).DistinctBy(hidden => hidden.Activation))
        {
            foreach (int degree in (int[])[1, 2])
            {
                if (hidden.Degree != degree && hidden.Activation != "gated") Force(TransitionKind.UpDown, degree);
            }
        }

        if (layout.Map is { IsTied: true, HeadReads: not null } && layout.Map.Embeddings.Length == 1) Force(TransitionKind.NormGain, 1);
        faults.ShouldBeEmpty();
        string said = outcome.Count + forced == 0 ? "" : $"{string.Join(", ", outcome)}; forced {forced}";
        if (Judgements.Written) Judgements.WriteScalings(name, said);
        Judgements.Scalings().GetValueOrDefault(name, "").ShouldBe(said);

        void Try(string what, RescaleOptions options)
        {
            options = options with { Balance = new BalanceOptions(Rounding: FactorRounding.None) };
            TransitionPlan plan;
            try
            {
                plan = TransitionPlan.Create(layout, options);
            }
            catch (WiscaException nothing) when (nothing.Message.Contains("no transition applies"))
            {
                return;
            }

            var result = Rescaler.Rescale(model, folder[what], options);
            foreach (var exchanges in result.Solution.Groups.GroupBy(group => group.Exchange.Kind))
            {
                if (!AttentionGeometry.Kinds.Contains(exchanges.Key))
                    outcome.Add($"{exchanges.Key.Name()} {exchanges.First().Exchange.Granularity.Name()}");
                if (exchanges.All(group => Math.Abs(Math.Log2(group.Balance.Factor)) < 0.001))
                    faults.Add($"{what}: {exchanges.Key} changes nothing");
            }

            if (!(result.Solution.Objective!.After < result.Solution.Objective.Before)) faults.Add($"{what} does not lower the objective");
            double difference = transformers.Compare(made, folder[what]);
            if (!(difference < Kept)) faults.Add($"{what} moves the logits by {difference}");
            using var rescaled = Checkpoint.Open(folder[what]);
            var certificate = Certifier.Compare(model, rescaled, threads: 1);
            if (!certificate.Equivalent) faults.Add($"{what} has no certificate: {string.Join("; ", certificate.Differences.Take(3))}");
        }

        void Force(TransitionKind kind, int degree)
        {
            string target = folder[$"forced-{kind}-{degree}"];
            if (Directory.Exists(target) || !ForcedMove.Apply(model, layout, kind, degree, target)) return;
            forced++;
            double difference = transformers.Compare(made, target);
            if (difference <= Moved) faults.Add($"{kind} of degree {degree} moves by {difference} only, yet is refused");
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Rotate_EverySpace_KeepsTheLogits(string name)
    {
        transformers.Require();
        var judged = JudgedModels.ByName[name];
        using var folder = new TemporaryFolder();
        string made = transformers.Make(judged, "float64");
        using var model = Checkpoint.Open(made);
        var plan = RotationPlan.Create(ModelLayout.Resolve(model));
        bool stream = plan.Spaces.Any(space => space.Kind == RotationKind.Stream);
        bool heads = plan.Spaces.Any(space => space.Kind is RotationKind.ValueOutput or RotationKind.QueryKey);
        string outcome = "";
        if (heads)
        {
            Rotator.Rotate(model, folder["heads"], new RotateOptions { Stream = null, Heads = BasisSource.Random, Threads = 1 });
            transformers.Compare(made, folder["heads"]).ShouldBeLessThan(Kept, "heads");
            outcome = "heads";
        }

        if (stream)
        {
            try
            {
                Rotate(model, "stream");
                outcome += " stream";
            }
            catch (WiscaException refused) when (refused.Message.Contains("is not the same for all channels"))
            {
                // Gains that have nowhere to go must be uniform: then it is exact.
                string even = transformers.Make(judged, "float64", uniformGains: true);
                using var uniform = Checkpoint.Open(even);
                Rotate(uniform, "uniform-stream");
                outcome += " stream (uniform gains)";
            }
        }

        if (Judgements.Written) Judgements.WriteRotations(name, outcome.Trim());
        Judgements.Rotations().GetValueOrDefault(name, "").ShouldBe(outcome.Trim());

        void Rotate(Checkpoint from, string to)
        {
            Rotator.Rotate(from, folder[to], new RotateOptions { Stream = BasisSource.Random, Seed = 5, Threads = 1 });
            transformers.Compare(from.Folder, folder[to]).ShouldBeLessThan(Kept, to);
        }
    }

    /// <summary>Rescales what is exact, and asks for the logits.</summary>
    private void Keep(
        Checkpoint model, Granularity? queryKey, Granularity? valueOutput, string output, double tolerance, List<string> faults)
    {
        var options = new RescaleOptions
        {
            QueryKey = queryKey,
            ValueOutput = valueOutput,
            Balance = new BalanceOptions(Rounding: FactorRounding.None),
            Threads = 1,
        };
        var move = Rescaler.Rescale(model, output, options).Move!;
        foreach (var groups in move.Groups.GroupBy(group => group.Transition))
        {
            if (groups.All(group => Math.Abs(Math.Log2(group.Factor)) < 0.001))
                faults.Add($"{groups.Key} at {queryKey} {valueOutput} changes nothing");
        }

        using var rescaled = Checkpoint.Open(output);
        if (!Certifier.Compare(model, rescaled, threads: 1).Equivalent)
            faults.Add($"QK {queryKey} with VO {valueOutput} has no certificate");
        double difference = transformers.Compare(model.Folder, output);
        if (!(difference < tolerance)) faults.Add($"QK {queryKey} with VO {valueOutput} moves the logits by {difference}");
    }
}

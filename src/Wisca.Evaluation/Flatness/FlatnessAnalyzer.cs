using System.Collections.Immutable;
using TorchSharp.Modules;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>Measures how flat a model's loss is around its weights.</summary>
public static class FlatnessAnalyzer
{
    /// <summary>Runs all that is asked for. The model's weights are as before when it ends, whichever way it ends.</summary>
    /// <param name="model">The model; it is set to eager attention.</param>
    /// <param name="config">Its <c>config.json</c>, which tells where its pairs are.</param>
    /// <param name="windows">The text that the loss is of.</param>
    /// <param name="options">What to measure.</param>
    /// <param name="other">The second checkpoint of <see cref="FlatnessMeasure.Between"/>; null otherwise.</param>
    /// <param name="table">An architecture table of one's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">
    /// The text does not fit the model, the second checkpoint is of another architecture,
    /// an orbit is asked for that does not exist, or the loss is not finite.
    /// </exception>
    public static FlatnessReport Run(
        Decoder model,
        ModelConfig config,
        TokenWindows windows,
        FlatnessOptions options,
        Decoder? other = null,
        ArchitectureTable? table = null,
        IProgress<FlatnessProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        using var scope = NewDisposeScope();
        using var objective = new DecoderObjective(model, windows);
        bool Asked(FlatnessMeasure measure) => options.Measures.Contains(measure);

        // What can be refused is looked at before the work begins.
        if (Asked(FlatnessMeasure.Between)) RequireSame(objective.Parameters, other ?? throw new ArgumentNullException(nameof(other)));
        var (orbit, orbitGroup) = Asked(FlatnessMeasure.Orbit) ? Orbit(model, config, options, table) : (null, 0);
        var (plan, refusals) = Asked(FlatnessMeasure.Pairs) ? Pairs(model, config, table) : (null, []);

        double loss = objective.Loss(cancellation);
        if (!double.IsFinite(loss)) throw model.NotFinite("the logits, and so the loss,");
        var report = new FlatnessReport
        {
            Parameters = objective.Parameters.Dimension,
            Tokens = windows.Tokens,
            SequenceLength = windows.Length,
            Seed = options.Seed,
            Loss = loss,
            GradientNorm = objective.Gradient(cancellation).norm().AsDouble(),
            Refusals = refusals,
            Invariances = [.. Invariance.All.Where(entry => entry.Measure is null || Asked(entry.Measure.Value))],
        };
        foreach (var measure in options.Measures.Distinct().Order())
        {
            report = measure switch
            {
                FlatnessMeasure.Eigenvalues => report with
                {
                    Eigenvalues = Lanczos.Largest(objective, options.Eigenvalues with { Seed = options.Seed }, progress, cancellation),
                },
                FlatnessMeasure.Trace => report with
                {
                    Trace = TraceEstimator.Whole(objective, options.Trace with { Seed = options.Seed }, progress, cancellation),
                },
                FlatnessMeasure.Sharpness => report with { Sharpness = Sharpness(objective, options, progress, cancellation) },
                FlatnessMeasure.Gradients => report with
                {
                    Gradients = GradientTurn.Measure(objective, options.GradientSteps, progress, cancellation),
                },
                FlatnessMeasure.Pairs when plan is null => report,
                FlatnessMeasure.Pairs => report with
                {
                    Pairs = PairMeter.Measure(objective, plan!, options.Pairs with { Seed = options.Seed }, progress, cancellation),
                },
                FlatnessMeasure.Slice => report with
                {
                    Curves = report.Curves.Add(
                        LossSurface.Slice(
                            objective, objective.FilterAxis, options.SliceDimensions, options.Points, options.SliceRange, options.Seed,
                            progress, cancellation)),
                },
                FlatnessMeasure.Between => report with
                {
                    Curves = report.Curves.Add(
                        LossSurface.Between(objective, Space(other!).Values(), options.Points, progress, cancellation)),
                },
                _ => report with
                {
                    Orbit = new OrbitScanner(objective, orbit!, orbitGroup).Scan(
                        options.Orbit with
                        {
                            Seed = options.Seed,
                        },
                        progress,
                        cancellation),
                },
            };
        }

        return report;
    }

    private static ImmutableArray<SharpnessEstimate> Sharpness(
        IObjective objective, FlatnessOptions options, IProgress<FlatnessProgress>? progress, CancellationToken cancellation)
    {
        var kinds = new[] { 1, options.AscentSteps }.Distinct().SelectMany(steps => new[]
        {
            new SharpnessOptions { Radius = options.Radius, Steps = steps, Seed = options.Seed },
            new SharpnessOptions { Radius = options.AdaptiveRadius, Steps = steps, Seed = options.Seed, Adaptive = true },
        }).ToList();
        return
        [
            .. kinds.Select((kind, index) =>
            {
                progress?.Report(new FlatnessProgress("sharpness", index, kinds.Count));
                return SharpnessMeter.Measure(objective, kind, cancellation);
            }),
        ];
    }

    private static (TransitionPlan? Plan, ImmutableArray<string> Refusals) Pairs(
        Decoder model, ModelConfig config, ArchitectureTable? table)
    {
        try
        {
            var plan = WiscaScheduler.PlanFor(Parameters(model), config, new TransitionOptions(), table);
            return (
                plan,
                [
                    .. plan.Refusals.Select(refusal =>
                        $"{refusal.Kind.Name()} in layers {string.Join(", ", refusal.Layers)}: {refusal.Reason}"),
                ]);
        }
        catch (WiscaException exception)
        {
            // A model without pairs is no error: all else is measured.
            return (null, [exception.Message]);
        }
    }

    private static (Exchange Exchange, int Group) Orbit(
        Decoder model, ModelConfig config, FlatnessOptions options, ArchitectureTable? table)
    {
        int layers = model.Config.Layers.Length;
        if (options.OrbitLayer < 0 || options.OrbitLayer >= layers)
            throw new WiscaException(
                $"layer {options.OrbitLayer} is not among the model's layers 0 to {layers - 1}",
                "give --layer one of them");
        Granularity granularity = options.OrbitKvHead is null ? Granularity.Tensor : Granularity.KvHead;
        bool queryKey = options.OrbitKind == TransitionKind.QueryKey;
        var plan = WiscaScheduler.PlanFor(
            Parameters(model),
            config,
            new TransitionOptions
            {
                QueryKey = queryKey ? granularity : null,
                ValueOutput = queryKey ? null : granularity,
                RequireQueryKey = queryKey,
                RequireValueOutput = !queryKey,
                Layers = new LayerRange($"{options.OrbitLayer}"),
            },
            table);
        var exchange = plan.Exchanges.Single();
        int group = options.OrbitKvHead ?? 0;
        if (group >= exchange.Groups.Length)
            throw new WiscaException(
                $"kv head {group} is not among the layer's kv heads 0 to {exchange.Groups.Length - 1}",
                "give --kv-head one of them");
        return (exchange, group);
    }

    private static void RequireSame(ParameterSpace space, Decoder other) => space.RequireSame(Space(other), "the second model");

    private static ParameterSpace Space(Decoder model) => new(Parameters(model).Select(entry => (entry.Name, (Tensor)entry.Parameter)));

    private static IEnumerable<(string Name, Parameter Parameter)> Parameters(Decoder model) =>
        model.named_parameters().Select(entry => (entry.name, entry.parameter));
}

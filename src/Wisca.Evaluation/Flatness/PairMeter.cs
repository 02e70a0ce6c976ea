using System.Collections.Immutable;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>Measures the curvature of pairs.</summary>
public static class PairMeter
{
    /// <summary>For every group of every exchange of a plan, the traces of both sides' blocks.</summary>
    /// <param name="objective">The loss.</param>
    /// <param name="plan">The exchanges, of the objective's tensors.</param>
    /// <param name="options">How many probes, for each block.</param>
    /// <param name="progress">Told of every block.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A product is not finite.</exception>
    public static ImmutableArray<PairCurvature> Measure(
        IObjective objective, TransitionPlan plan, TraceOptions options, IProgress<FlatnessProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        var groups = plan.Exchanges.SelectMany(exchange => exchange.Groups.Select((_, group) => (exchange, group))).ToList();
        return
        [
            .. groups.Select(
                (entry, index) =>
                    new PairCurvature(
                        entry.exchange.Layer, entry.exchange.Kind, entry.exchange.Groups[entry.group],
                        Side(entry.exchange, entry.group, +1, 2 * index), Side(entry.exchange, entry.group, -1, (2 * index) + 1))),
        ];

        TraceEstimate Side(Exchange exchange, int group, int exponent, int done)
        {
            progress?.Report(new FlatnessProgress("pairs", done, 2 * groups.Count));
            using var scope = NewDisposeScope();
            var block = ParameterBlock.Of(exchange, group, exponent);
            return TraceEstimator.Block(objective, block.Mask(objective.Parameters), block.Tensors, options, null, cancellation);
        }
    }
}

using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Inspection;

/// <summary>Looks at a checkpoint without changing it.</summary>
public static class Inspector
{
    private static readonly Granularity[] QueryKeyGranularities =
    [
        Granularity.Tensor, Granularity.KvHead, Granularity.Pair, Granularity.Channel,
    ];
    private static readonly Granularity[] ValueOutputGranularities = [Granularity.Tensor, Granularity.KvHead, Granularity.Channel];

    /// <summary>Measures every layer's attention and says which transitions are exact.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told the share of the layers that is done.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">The model is not known, or its weights hold NaN or infinity.</exception>
    public static ModelInspection Inspect(
        Checkpoint checkpoint, ArchitectureTable? table = null, int threads = 0, IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var layout = ModelLayout.Resolve(checkpoint, table);
        var source = new CheckpointTensorSource(checkpoint);
        var map = new MapExchanges(layout);
        var layers = new LayerInspection[layout.Layers.Length];
        int done = 0;
        Workers.Run(
            layout.Layers,
            threads > 0 ? threads : Environment.ProcessorCount,
            layer =>
            {
                // Fused projections are measured once for their three roles.
                var measured = new Dictionary<string, AxisStatistics>(StringComparer.Ordinal);
                layers[layer.Index] = new LayerInspection(
                    layer.Index,
                    Norm(layer.Query, layout.HeadDim),
                    Norm(layer.Key, layout.HeadDim),
                    Norm(layer.Value, layout.ValueDim),
                    Norm(layer.Output, layout.ValueDim),
                    Exact(layer, TransitionKind.QueryKey, QueryKeyGranularities),
                    Exact(layer, TransitionKind.ValueOutput, ValueOutputGranularities),
                    layer.Refusals)
                {
                    Others = Others(layer),
                };
                progress?.Report(Interlocked.Increment(ref done) / (double)layers.Length);

                double? Norm(Projection projection, int channels)
                {
                    if (checkpoint.Find(projection.Weight) is not { } stored || !stored.Info.Dtype.IsRescalable()) return null;
                    if (!measured.TryGetValue(projection.Weight, out var statistics))
                        measured.Add(projection.Weight, statistics = source.Measure(projection.Weight, projection.Axis));
                    return projection.Starts.Sum(start => statistics.SumOfAbsolutes.Skip(start).Take(channels).Sum());
                }
            },
            cancellation);
        return new ModelInspection(layout, [.. layers])
        {
            LastNorm = Find((granularity, refuse) => map.OfNorms(MapExchanges.Outside, granularity, refuse)),
        };

        ImmutableDictionary<TransitionKind, TransitionFinding> Others(AttentionLayer layer)
        {
            var found = ImmutableDictionary.CreateBuilder<TransitionKind, TransitionFinding>();
            Add(TransitionKind.UpDown, (granularity, refuse) => map.OfMlps(layer.Index, granularity, refuse));
            Add(TransitionKind.NormGain, (granularity, refuse) => map.OfNorms(layer.Index, granularity, refuse));
            Add(TransitionKind.QueryKeyNorm, (granularity, refuse) => map.OfHeadNorms(layer, granularity, refuse));
            return found.ToImmutable();

            void Add(TransitionKind kind, Func<Granularity, Action<string>, IEnumerable<Exchange>> compile)
            {
                if (Find(compile) is { } finding) found.Add(kind, finding);
            }
        }

        // What stands in the way of one granularity stands in the way of the other; a factor for each channel takes longer to lay out.
        static TransitionFinding? Find(Func<Granularity, Action<string>, IEnumerable<Exchange>> compile)
        {
            var refused = new List<string>();
            bool exact = compile(Granularity.Tensor, refused.Add).ToList().Count > 0;
            return exact || refused.Count > 0
                ? new TransitionFinding(exact ? [Granularity.Tensor, Granularity.Channel] : [], [.. refused.Distinct()])
                : null;
        }

        ImmutableArray<Granularity> Exact(AttentionLayer layer, TransitionKind kind, Granularity[] granularities) =>
            [.. granularities.Where(granularity => Exchange.TryCompile(layout.Geometry, layer, kind, granularity, out _) is not null)];
    }
}

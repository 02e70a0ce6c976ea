using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;

namespace Wisca.Transitions;

/// <summary>Which transitions will be applied, decided from names and shapes alone.</summary>
/// <param name="Options">What was asked for.</param>
/// <param name="Exchanges">The compiled transitions.</param>
/// <param name="Refusals">What is not exact and so is left out.</param>
public sealed record TransitionPlan(TransitionOptions Options, ImmutableArray<Exchange> Exchanges, ImmutableArray<Refusal> Refusals)
{
    /// <summary>The names of the tensors that take part.</summary>
    public IReadOnlySet<string> Tensors { get; } =
        Exchanges.SelectMany(exchange => exchange.Slices, (_, slice) => slice.Tensor).ToHashSet(StringComparer.Ordinal);

    /// <summary>Decides which transitions apply.</summary>
    /// <exception cref="WiscaException">A required transition is not exact, none applies,
    /// or the range of layers does not fit the model.</exception>
    public static TransitionPlan Create(ModelLayout layout, TransitionOptions options)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(options);
        return Create(layout.Geometry, layout.Layers, options, new MapExchanges(layout));
    }

    /// <summary>Decides which transitions of the attention apply; others are refused, since nothing is known of them.</summary>
    /// <param name="geometry">The attention.</param>
    /// <param name="layers">The layers in order.</param>
    /// <param name="options">What is asked for.</param>
    /// <exception cref="WiscaException">A required transition is not exact, none applies,
    /// or the range of layers does not fit the model.</exception>
    public static TransitionPlan Create(AttentionGeometry geometry, ImmutableArray<AttentionLayer> layers, TransitionOptions options)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(options);
        return Create(geometry, layers, options, null);
    }

    private static TransitionPlan Create(
        AttentionGeometry geometry, ImmutableArray<AttentionLayer> layers, TransitionOptions options, MapExchanges? map)
    {
        var covered = options.Layers.Resolve(layers.Length);
        var exchanges = ImmutableArray.CreateBuilder<Exchange>();
        var refused = new List<(TransitionKind Kind, int Layer, string Reason)>();
        foreach (var layer in layers.Where(layer => covered[layer.Index]))
        {
            OfAttention(layer, TransitionKind.QueryKey, options.QueryKey);
            OfAttention(layer, TransitionKind.ValueOutput, options.ValueOutput);
            OfMap(
                layer.Index, TransitionKind.UpDown, options.Mlp,
                (own, granularity, refuse) => own.OfMlps(layer.Index, granularity, refuse));
            OfMap(
                layer.Index, TransitionKind.QueryKeyNorm, options.Norms,
                (own, granularity, refuse) => own.OfHeadNorms(layer, granularity, refuse));
            OfNorms(layer.Index);
        }

        if (covered.All(chosen => chosen)) OfNorms(MapExchanges.Outside);
        ImmutableArray<Refusal> refusals =
        [
            .. refused
                .GroupBy(entry => (entry.Kind, entry.Reason))
                .Select(entries => new Refusal(
                    entries.Key.Kind, [.. entries.Select(entry => entry.Layer).Where(layer => layer != MapExchanges.Outside).Distinct()],
                    entries.Key.Reason)),
        ];
        if (exchanges.Count == 0)
        {
            throw refusals.IsEmpty
                ? new WiscaException("no transition was asked for", "give --qk, --vo, --mlp or --norms a granularity")
                : new WiscaException(
                    $"no transition applies: {string.Join("; ", refusals.Select(refusal => $"{refusal.Kind.Name()}: {refusal.Reason}"))}",
                    "wisca inspect shows what is exact in this model");
        }

        return new TransitionPlan(options, exchanges.ToImmutable(), refusals);

        void OfAttention(AttentionLayer layer, TransitionKind kind, Granularity? granularity)
        {
            if (granularity is null) return;
            if (Exchange.TryCompile(geometry, layer, kind, granularity.Value, out string? refusal) is { } exchange) exchanges.Add(exchange);
            else Refuse(kind, layer.Index, refusal!);
        }

        void OfNorms(int layer) =>
            OfMap(layer, TransitionKind.NormGain, options.Norms, (own, granularity, refuse) => own.OfNorms(layer, granularity, refuse));

        void OfMap(
            int layer, TransitionKind kind, Granularity? granularity,
            Func<MapExchanges, Granularity, Action<string>, IEnumerable<Exchange>> compile)
        {
            if (granularity is null) return;
            if (map is not null) exchanges.AddRange(compile(map, granularity.Value, reason => Refuse(kind, layer, reason)));
            else if (kind != TransitionKind.QueryKeyNorm && layer != MapExchanges.Outside)
                Refuse(kind, layer, "only the attention is described by names: an architecture table tells of all else");
        }

        void Refuse(TransitionKind kind, int layer, string reason)
        {
            if (!options.Requires(kind))
            {
                refused.Add((kind, layer, reason));
                return;
            }

            throw new WiscaException(
                $"layer {layer}: {kind.Name()} is not exact: {reason}",
                "leave the option out to apply what is exact; wisca inspect shows what that is");
        }
    }
}

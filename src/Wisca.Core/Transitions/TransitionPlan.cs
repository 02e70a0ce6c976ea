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
        return Create(layout.Geometry, layout.Layers, options);
    }

    /// <summary>Decides which transitions apply.</summary>
    /// <param name="geometry">The attention.</param>
    /// <param name="layers">The layers in order.</param>
    /// <param name="options">What is asked for.</param>
    /// <exception cref="WiscaException">A required transition is not exact, none applies,
    /// or the range of layers does not fit the model.</exception>
    public static TransitionPlan Create(AttentionGeometry geometry, ImmutableArray<AttentionLayer> layers, TransitionOptions options)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(options);
        var covered = options.Layers.Resolve(layers.Length);
        var exchanges = ImmutableArray.CreateBuilder<Exchange>();
        var refused = new List<(TransitionKind Kind, int Layer, string Reason)>();
        foreach (var layer in layers.Where(layer => covered[layer.Index]))
        {
            Compile(layer, TransitionKind.QueryKey, options.QueryKey, options.RequireQueryKey);
            Compile(layer, TransitionKind.ValueOutput, options.ValueOutput, options.RequireValueOutput);
        }

        ImmutableArray<Refusal> refusals =
        [
            .. refused
                .GroupBy(entry => (entry.Kind, entry.Reason))
                .Select(entries => new Refusal(entries.Key.Kind, [.. entries.Select(entry => entry.Layer)], entries.Key.Reason)),
        ];
        if (exchanges.Count == 0)
        {
            throw refusals.IsEmpty
                ? new WiscaException("no transition was asked for", "give --qk or --vo a granularity")
                : new WiscaException(
                    $"no transition applies: {string.Join("; ", refusals.Select(refusal => $"{refusal.Kind.Name()}: {refusal.Reason}"))}",
                    "wisca inspect shows what is exact in this model");
        }

        return new TransitionPlan(options, exchanges.ToImmutable(), refusals);

        void Compile(AttentionLayer layer, TransitionKind kind, Granularity? granularity, bool required)
        {
            if (granularity is null) return;
            if (Exchange.TryCompile(geometry, layer, kind, granularity.Value, out string? refusal) is { } exchange) exchanges.Add(exchange);
            else if (required)
                throw new WiscaException(
                    $"layer {layer.Index}: {kind.Name()} is not exact: {refusal}",
                    "leave the option out to apply what is exact; wisca inspect shows what that is");
            else refused.Add((kind, layer.Index, refusal!));
        }
    }
}

namespace Wisca.Transitions;

/// <summary>Which transitions to apply, and how. The defaults are the paper's per tensor (<c>qk_ten+vo_ten</c>).</summary>
public record TransitionOptions
{
    /// <summary>Granularity of the exchange between W_q and W_k; null for none. Per tensor by default.</summary>
    public Granularity? QueryKey { get; init; } = Granularity.Tensor;

    /// <summary>Granularity of the exchange between W_v and W_o; null for none. Per tensor by default.</summary>
    public Granularity? ValueOutput { get; init; } = Granularity.Tensor;

    /// <summary>True to fail where <see cref="QueryKey"/> is not exact in a chosen layer,
    /// instead of reporting it. False by default.</summary>
    public bool RequireQueryKey { get; init; }

    /// <summary>True to fail where <see cref="ValueOutput"/> is not exact in a chosen layer,
    /// instead of reporting it. False by default.</summary>
    public bool RequireValueOutput { get; init; }

    /// <summary>Criterion, rounding and clamp.</summary>
    public BalanceOptions Balance { get; init; } = new();

    /// <summary>Which layers; all by default.</summary>
    public LayerRange Layers { get; init; } = LayerRange.All;
}

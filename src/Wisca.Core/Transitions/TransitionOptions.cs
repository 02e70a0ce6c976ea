using Wisca.Attention;

namespace Wisca.Transitions;

/// <summary>Which transitions to apply, and how. The defaults are the paper's per tensor (<c>qk_ten+vo_ten</c>).</summary>
public record TransitionOptions
{
    /// <summary>Granularity of the exchange between W_q and W_k; null for none. Per tensor by default.</summary>
    public Granularity? QueryKey { get; init; } = Granularity.Tensor;

    /// <summary>Granularity of the exchange between W_v and W_o; null for none. Per tensor by default.</summary>
    public Granularity? ValueOutput { get; init; } = Granularity.Tensor;

    /// <summary>Granularity of the exchange between what writes an MLP's hidden channels and what reads them (W_up and W_down): tensor,
    /// which is a factor for each expert, or channel; null, the default, for none.</summary>
    public Granularity? Mlp { get; init; }

    /// <summary>
    /// Granularity of the exchange between gains of norms and what reads behind them, and between the gains of queries and keys where these
    /// are normalised: tensor, or channel (rotary pairs share a factor); null, the default, for none.
    /// </summary>
    public Granularity? Norms { get; init; }

    /// <summary>True to fail where <see cref="QueryKey"/> is not exact in a chosen layer,
    /// instead of reporting it. False by default.</summary>
    public bool RequireQueryKey { get; init; }

    /// <summary>True to fail where <see cref="ValueOutput"/> is not exact in a chosen layer,
    /// instead of reporting it. False by default.</summary>
    public bool RequireValueOutput { get; init; }

    /// <summary>True to fail where <see cref="Mlp"/> is not exact in a chosen layer, instead of reporting it. False by default.</summary>
    public bool RequireMlp { get; init; }

    /// <summary>Criterion, rounding and clamp.</summary>
    public BalanceOptions Balance { get; init; } = new();

    /// <summary>Which layers; all by default. What lies behind the last layer belongs to all of them together.</summary>
    public LayerRange Layers { get; init; } = LayerRange.All;

    /// <summary>True where a transition must be applied wherever it is exact and was asked for.</summary>
    internal bool Requires(TransitionKind kind) => kind switch
    {
        TransitionKind.QueryKey => RequireQueryKey,
        TransitionKind.ValueOutput => RequireValueOutput,
        TransitionKind.UpDown => RequireMlp,
        _ => false,
    };

    /// <summary>The same, with every exact transition at its finest: rotary pairs of queries and keys, channels of all else.</summary>
    public TransitionOptions WithAll() => this with
    {
        QueryKey = Granularity.Pair,
        ValueOutput = Granularity.Channel,
        Mlp = Granularity.Channel,
        Norms = Granularity.Channel,
    };
}

using Wisca.Adapters;
using Wisca.Safetensors;
using Wisca.Torch.Transitions;
using Wisca.Transitions;

namespace Wisca.Torch.Lora;

/// <summary>How an adapter is saved.</summary>
public sealed record LoraSaveOptions
{
    /// <summary>
    /// For which base: <see cref="AdapterGauge.Original"/> for the one that was loaded, <see cref="AdapterGauge.Rescaled"/> (the default)
    /// for the one that transitions have made of it. Without transitions the two are one.
    /// </summary>
    public AdapterGauge Gauge { get; init; } = AdapterGauge.Rescaled;

    /// <summary>The base's transitions since it was loaded (<see cref="WiscaScheduler.Total"/>); null for none.</summary>
    public TransitionSolution? Transitions { get; init; }

    /// <summary>
    /// The base as it was before its rotations, which is what a rotated adapter is saved for; null where the base was not rotated.
    /// </summary>
    public FrozenWeights? Rotated { get; init; }

    /// <summary>
    /// True where the base that was loaded is known to be the original one, with no ledger of its own: the adapter then says so, and
    /// merging it into a rescaled base is refused. False by default.
    /// </summary>
    public bool LoadedBaseIsOriginal { get; init; }

    /// <summary>The stored type. F32 by default.</summary>
    public Dtype Dtype { get; init; } = Dtype.F32;
}

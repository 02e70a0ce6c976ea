using Wisca.Torch.Transitions;
using Wisca.Transitions;

namespace Wisca.Torch.Lora;

/// <summary>How the factors of an adapter are balanced while it trains.</summary>
public sealed record LoraBalancerOptions
{
    /// <summary>One factor a module, one a rank, or a matrix. A matrix by default.</summary>
    public FactorGranularity Granularity { get; init; } = FactorGranularity.General;

    /// <summary>Norm, rounding and clamp; of a matrix only the clamp counts. The Frobenius norm and exact factors by default.</summary>
    public BalanceOptions Balance { get; init; } = new(Criterion.L2, FactorRounding.None);

    /// <summary>When. While B is zero nothing happens.</summary>
    public WiscaTrigger Trigger { get; init; } = new();

    /// <summary>What becomes of the optimizer's state; it follows by default.</summary>
    public StatePolicy State { get; init; } = StatePolicy.Transport;
}

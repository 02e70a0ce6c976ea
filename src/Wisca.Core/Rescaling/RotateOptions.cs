using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>How to rotate a checkpoint.</summary>
public sealed record RotateOptions
{
    /// <summary>The basis of the residual stream; null to leave it. <see cref="BasisSource.Weights"/> by default.</summary>
    public BasisSource? Stream { get; init; } = BasisSource.Weights;

    /// <summary>The basis of the heads' values, and of queries and keys where RoPE does not act; null to leave them, the default.</summary>
    public BasisSource? Heads { get; init; }

    /// <summary>What becomes of the gains of norms; they follow by default.</summary>
    public GainPolicy Gains { get; init; } = GainPolicy.Follow;

    /// <summary>What random bases depend on.</summary>
    public ulong Seed { get; init; }

    /// <summary>The layers whose heads are rotated; all by default. The residual stream is one for all layers.</summary>
    public LayerRange Layers { get; init; } = LayerRange.All;

    /// <summary>Number of threads; 0 for all processors.</summary>
    public int Threads { get; init; }
}

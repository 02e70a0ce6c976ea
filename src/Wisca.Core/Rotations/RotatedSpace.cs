using System.Collections.Immutable;

namespace Wisca.Rotations;

/// <summary>
/// A space of a model whose basis is free: x becomes x R with an orthogonal R, and no output changes if all that lies in it follows.
/// Sources: SliceGPT (arXiv 2401.15024) for the residual stream between RMS norms; QuaRot (2404.00456) and SpinQuant (2405.16406).
/// </summary>
/// <param name="Kind">Which kind of space.</param>
/// <param name="Name">Its name, unique in a plan: <c>stream</c>, <c>layers.3.vo.1</c>.</param>
/// <param name="Size">Its number of dimensions: R is [size, size].</param>
/// <param name="KeepsOnes">True where R must keep the vector of ones, R 1 = 1, because norms take the mean away (LayerNorm).</param>
/// <param name="Slices">All that lies in it.</param>
/// <param name="Gains">The gains of the norms on it.</param>
public sealed record RotatedSpace(
    RotationKind Kind,
    string Name,
    int Size,
    bool KeepsOnes,
    ImmutableArray<RotatedSlice> Slices,
    ImmutableArray<RotatedGain> Gains)
{
    /// <summary>The layer that a head's space belongs to; null for the residual stream.</summary>
    public int? Layer { get; init; }

    /// <summary>The names of all tensors that a rotation changes: of slices, gains, and biases of norms.</summary>
    public IEnumerable<string> Tensors =>
        Slices.Select(slice => slice.Tensor)
            .Concat(Gains.Select(gain => gain.Tensor))
            .Concat(Gains.Select(gain => gain.Bias).OfType<string>())
            .Distinct();
}

using Wisca.Rotations;

namespace Wisca.Torch.Transitions;

/// <summary>What a rotation did to one space of a model.</summary>
/// <param name="Space">The space.</param>
/// <param name="Angle">How far it turned, in degrees: the angle whose cosine is the mean of the matrix's diagonal.</param>
/// <param name="Skipped">Why it was left as it is this time; null where it was rotated.</param>
public sealed record SpaceRotation(RotatedSpace Space, double Angle, string? Skipped = null)
{
    /// <summary>
    /// The share of the covariance's squared Frobenius norm that lies on its diagonal, before and after; null where no covariance was
    /// asked.
    /// </summary>
    public (double Before, double After)? Diagonal { get; init; }
}

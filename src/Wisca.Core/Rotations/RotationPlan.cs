using System.Collections.Immutable;
using Wisca.Architectures;

namespace Wisca.Rotations;

/// <summary>Which spaces of a model may be rotated, decided from names and shapes alone.</summary>
/// <param name="Spaces">The spaces.</param>
/// <param name="Refusals">What is not exact and so is left out.</param>
public sealed record RotationPlan(ImmutableArray<RotatedSpace> Spaces, ImmutableArray<RotationRefusal> Refusals)
{
    /// <summary>Decides what may be rotated. Whether gains that must be uniform are, only the weights tell.</summary>
    /// <param name="layout">The model.</param>
    public static RotationPlan Create(ModelLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new RotationPlanner(layout).Plan();
    }
}

using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Rotations;

namespace Wisca.Rescaling;

/// <summary>What rotating a checkpoint came to.</summary>
/// <param name="Spaces">The spaces that were rotated.</param>
/// <param name="Refusals">What is not exact, and was left out.</param>
/// <param name="Tensors">Number of tensors that changed.</param>
/// <param name="WrittenBytes">Bytes of weights that were written.</param>
/// <param name="SideFiles">What became of the other files.</param>
public sealed record RotateResult(
    ImmutableArray<RotatedSpace> Spaces, ImmutableArray<RotationRefusal> Refusals, int Tensors, long WrittenBytes, SideFiles SideFiles)
{
    /// <summary>How far the two sides of the heads were from balance and are, |P - Q| / (|P| + |Q|) on average; null where they were not
    /// balanced.</summary>
    public (double Before, double After)? Imbalance { get; init; }
}

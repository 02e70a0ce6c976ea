using System.Collections.Immutable;

namespace Wisca.Rotations;

/// <summary>Which spaces of a model may be rotated, decided from names and shapes alone.</summary>
/// <param name="Spaces">The spaces.</param>
/// <param name="Refusals">What is not exact and so is left out.</param>
public sealed record RotationPlan(ImmutableArray<RotatedSpace> Spaces, ImmutableArray<RotationRefusal> Refusals);

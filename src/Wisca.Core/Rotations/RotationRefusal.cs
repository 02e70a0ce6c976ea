using System.Collections.Immutable;

namespace Wisca.Rotations;

/// <summary>A rotation that is not exact, and so is not applied.</summary>
/// <param name="Kind">Which rotation.</param>
/// <param name="Layers">In which layers; empty where it is one for the whole model.</param>
/// <param name="Reason">Why.</param>
public sealed record RotationRefusal(RotationKind Kind, ImmutableArray<int> Layers, string Reason);

using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>The loss on a grid of points of a line or plane.</summary>
/// <param name="Kind">Which line or plane.</param>
/// <param name="Points">The points, row by row.</param>
public sealed record LossCurve(LossCurveKind Kind, ImmutableArray<LossPoint> Points);

using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>What stays and what moves along the orbit of models that are the same function.</summary>
/// <param name="Curvature">The pair at s = 1, where the model is: its traces a and b, and the flattest s.</param>
/// <param name="Rest">The trace of the block of all other parameters at s = 1.</param>
/// <param name="Points">The grid, in the order of s.</param>
/// <param name="Marks">Where the criteria land.</param>
public sealed record OrbitReport(
    PairCurvature Curvature, TraceEstimate Rest, ImmutableArray<OrbitPoint> Points, ImmutableArray<OrbitMark> Marks)
{
    /// <summary>The largest |loss - loss at s = 1| over the grid; 0 as powers of two promise.</summary>
    public double MaxLossDifference => Points.Max(point => Math.Abs(point.Loss - Points.Single(here => here.Log2 == 0).Loss));

    /// <summary>The largest |trace of the pair - prediction| over the grid, as a share of |a| / s^2 + |b| s^2.</summary>
    public double MaxTraceDeviation =>
        Points.Max(point =>
            Math.Abs(point.Pair - point.PredictedPair)
            / Math.Max(
                double.Epsilon,
                Math.Abs(Curvature.Multiplied.Value * Math.Pow(2, -2 * point.Log2))
                    + Math.Abs(Curvature.Divided.Value * Math.Pow(2, 2 * point.Log2))));
}

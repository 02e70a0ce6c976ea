namespace Wisca.Numerics;

/// <summary>What one pass over a matrix (or bias) finds along one of its axes. Sums are in float64.</summary>
/// <param name="SumOfAbsolutes">For each index, the sum of |w|.</param>
/// <param name="SumOfSquares">For each index, the sum of w^2.</param>
/// <param name="SmallestNonzero">For each index, the least |w| that is not zero; infinity where all are zero.</param>
/// <param name="Largest">For each index, the greatest |w|.</param>
/// <param name="ElementsPerIndex">Number of elements summed for each index.</param>
public sealed record AxisStatistics(
    double[] SumOfAbsolutes, double[] SumOfSquares, double[] SmallestNonzero, double[] Largest, long ElementsPerIndex)
{
    /// <summary>For each index, the sum of the second moments that an optimizer keeps of the gradients; null where there is none.</summary>
    public double[]? SumOfSecondMoments { get; init; }
}

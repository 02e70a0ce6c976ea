using System.Runtime.Intrinsics;

namespace Wisca.Adapters;

/// <summary>A product of two factors in the layout of a stored matrix, in float64.</summary>
/// <param name="Left">[rows, r].</param>
/// <param name="Right">[r, columns].</param>
/// <param name="Rank">r.</param>
internal sealed record LowRankFactors(double[] Left, double[] Right, int Rank)
{
    private readonly int _columns = Right.Length / Rank;

    /// <summary>Adds a row of the product.</summary>
    public void AddTo(int row, Span<double> values)
    {
        for (int k = 0; k < Rank; k++)
        {
            double factor = Left[((long)row * Rank) + k];
            var from = Right.AsSpan(k * _columns, _columns);
            var times = Vector256.Create(factor);
            int i = 0;
            for (; i <= values.Length - 4; i += 4)
                (Vector256.Create<double>(values.Slice(i, 4)) + (times * Vector256.Create<double>(from.Slice(i, 4)))).CopyTo(values[i..]);
            for (; i < values.Length; i++) values[i] += factor * from[i];
        }
    }
}

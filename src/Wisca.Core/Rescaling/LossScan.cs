using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Rescaling;

/// <summary>
/// Finds elements that a power of two would not leave exact: those that overflow, and those that fall below the normal range with bits
/// in the places that are cut off. The range of each index says where to look; only there every element is tried.
/// </summary>
internal static class LossScan
{
    /// <summary>True where scaling an index's elements by a factor may overflow, whatever the kind of factor.</summary>
    public static bool Overflows(MatrixView matrix, AxisStatistics statistics, int index, double factor) =>
        statistics.Largest[index] * factor > Elements.MaxFinite(matrix.Dtype);

    /// <summary>True where an index has elements that a power of two might round.</summary>
    public static bool MayRound(MatrixView matrix, AxisStatistics statistics, int index, double factor) =>
        factor < 1 && statistics.SmallestNonzero[index] * factor < Elements.MinNormal(matrix.Dtype);

    /// <summary>For each index, the number of its elements that scaling does not leave exact.</summary>
    /// <param name="matrix">The tensor.</param>
    /// <param name="factors">A power of two for each index; 1 where nothing is to be tried.</param>
    public static long[] Count(MatrixView matrix, double[] factors)
    {
        long[] lost = new long[matrix.Length];
        byte[] scaled = new byte[matrix.RowBytes], back = new byte[matrix.RowBytes];
        double[] inverses = Array.ConvertAll(factors, factor => 1 / factor);
        int size = matrix.RowBytes / Math.Max(1, matrix.Columns);
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int row = 0; row < rows.Count; row++) CountRow(rows.First + row, rows.Row(row));
        }

        return lost;

        void CountRow(int row, ReadOnlySpan<byte> original)
        {
            if (matrix.ByRow && factors[row] == 1) return;
            Elements.Scale(matrix.Dtype, original, scaled, matrix.ByRow ? factors.AsSpan(row, 1) : factors, true);
            Elements.Scale(matrix.Dtype, scaled, back, matrix.ByRow ? inverses.AsSpan(row, 1) : inverses, true);
            if (original.SequenceEqual(back)) return;
            for (int column = 0; column < matrix.Columns; column++)
            {
                if (!original.Slice(column * size, size).SequenceEqual(back.AsSpan(column * size, size)))
                    lost[matrix.ByRow ? row : column]++;
            }
        }
    }
}

using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

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

    /// <summary>The first index of an axis where a tensor's elements might overflow by factors; null where none does.</summary>
    public static int? FirstOverflow(IWeightFolder weights, string tensor, AxisFactors factors)
    {
        // The largest of each index, with the factors of the other axis on its elements.
        var (axis, others) = factors.Columns is null ? (0, null) : (1, factors.Rows);
        var matrix = new MatrixView(weights.Find(tensor)!, axis);
        if (factors.Of(axis) is not { } along) return null;
        var statistics = new CheckpointTensorSource(weights).Measure(tensor, axis, along.Length / matrix.Length, factors.AddsOne, others);
        int index = Enumerable.Range(0, along.Length)
            .FirstOrDefault(index => Overflows(matrix, statistics, index, along[index]), -1);
        return index < 0 ? null : index;
    }

    /// <summary>Counts the elements that scaling does not leave exact.</summary>
    /// <param name="matrix">The tensor.</param>
    /// <param name="factors">Powers of two.</param>
    /// <param name="found">Told the row and the column of each.</param>
    public static void Find(MatrixView matrix, AxisFactors factors, Action<int, int> found)
    {
        var scale = new TensorScale(factors);
        var inverse = scale.Inverse();
        byte[] scaled = new byte[matrix.RowBytes], back = new byte[matrix.RowBytes];
        int size = matrix.Dtype.Bits() / 8;
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int index = 0; index < rows.Count; index++)
            {
                int row = rows.First + index;
                if (scale.Of(matrix, row) is [1]) continue;
                var original = rows.Row(index);
                scale.Apply(matrix, row, original, scaled);
                inverse.Apply(matrix, row, scaled, back);
                if (original.SequenceEqual(back)) continue;
                for (int column = 0; column < matrix.Columns; column++)
                {
                    if (!original.Slice(column * size, size).SequenceEqual(back.AsSpan(column * size, size))) found(row, column);
                }
            }
        }
    }
}

using Wisca.Safetensors;

namespace Wisca.Numerics;

/// <summary>
/// Passes over a matrix that lies in memory, row after row, by the arithmetic of checkpoints on disk: sums in float64 and in one fixed
/// order, products in float64 and rounded once.
/// </summary>
public static class MatrixPass
{
    /// <summary>Measures a matrix along an axis.</summary>
    /// <param name="dtype">F16, BF16, F32 or F64.</param>
    /// <param name="elements">Its elements.</param>
    /// <param name="columns">Its width; a vector is one row, measured along axis 1.</param>
    /// <param name="axis">0 for rows, 1 for columns.</param>
    /// <param name="parts">Number of matrices of a stack of which each has columns of its own; 1 where all rows share them.</param>
    /// <param name="addsOne">True to measure 1 plus what is stored.</param>
    /// <param name="others">Factors along the other axis by which elements are multiplied before they count; null for none.</param>
    /// <returns>Null where an element is NaN or infinity.</returns>
    public static AxisStatistics? Measure(
        Dtype dtype, ReadOnlySpan<byte> elements, int columns, int axis, int parts = 1, bool addsOne = false, double[]? others = null)
    {
        int width = columns * dtype.Bits() / 8, rows = elements.Length / width, rowsOfPart = rows / parts;
        var measurement = new AxisMeasurement(dtype, axis, axis == 0 ? rows : (long)columns * parts);
        bool plain = parts == 1 && !addsOne && others is null;
        double[] values = plain ? [] : new double[columns], one = [1];
        for (int row = 0; row < rows; row++)
        {
            var stored = elements.Slice(row * width, width);
            if (plain)
            {
                measurement.AddRow(row, stored);
                continue;
            }

            Elements.Decode(dtype, stored, values);
            var factors = others is null ? one
                : axis == 0 ? others.AsSpan(row / (rows / (others.Length / columns)) * columns, columns)
                : others.AsSpan(row, 1);
            measurement.AddRow(row, values, row / rowsOfPart * columns, factors, addsOne ? 1 : 0);
        }

        return measurement.HasNonFinite() ? null : measurement.ToStatistics(axis == 0 ? columns : rowsOfPart);
    }

    /// <summary>
    /// Multiplies each element by the factor of its row times that of its column, in place. Powers of two lose no bit inside the type's
    /// normal range.
    /// </summary>
    /// <param name="dtype">F16, BF16, F32 or F64.</param>
    /// <param name="elements">The elements of whole rows.</param>
    /// <param name="width">Number of columns.</param>
    /// <param name="rows">A factor for each row; empty for ones.</param>
    /// <param name="columns">A factor for each column; empty for ones.</param>
    public static void Scale(
        Dtype dtype, Span<byte> elements, int width, ReadOnlySpan<double> rows, ReadOnlySpan<double> columns)
    {
        int bytes = width * dtype.Bits() / 8, count = elements.Length / bytes;
        bool powersOfTwo = ArePowersOfTwo(rows) && ArePowersOfTwo(columns);
        double[] products = rows.IsEmpty || columns.IsEmpty ? [1] : new double[width];
        for (int row = 0; row < count;)
        {
            // Rows that share a factor go by together.
            int first = row++;
            double factor = rows.IsEmpty ? 1 : rows[first];
            var factors = columns;
            if (columns.IsEmpty)
            {
                while (row < count && (rows.IsEmpty || rows[row] == factor)) row++;
                products[0] = factor;
                factors = products;
            }
            else if (factor != 1)
            {
                for (int i = 0; i < width; i++) products[i] = factor * columns[i];
                factors = products;
            }

            var own = elements.Slice(first * bytes, (row - first) * bytes);
            Elements.Scale(dtype, own, own, factors, powersOfTwo);
        }
    }

    private static bool ArePowersOfTwo(ReadOnlySpan<double> factors)
    {
        foreach (double factor in factors)
        {
            if (!Elements.IsPowerOfTwo(factor)) return false;
        }

        return true;
    }
}

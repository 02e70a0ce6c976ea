using System.Numerics;
using System.Runtime.InteropServices;

namespace Wisca.Numerics;

/// <summary>Products of matrices in float64, row after row in memory, on one thread.</summary>
public static class MatrixProduct
{
    // Four rows of C by two vectors stay in registers while a block of B that fits the second cache goes by.
    private const int RowsAtOnce = 4, Depth = 256;

    /// <summary>C += A B.</summary>
    /// <param name="a">[rows, inner].</param>
    /// <param name="b">[inner, columns].</param>
    /// <param name="c">[rows, columns].</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="inner">Columns of A, rows of B.</param>
    /// <param name="columns">Columns of B and C.</param>
    public static void Add(ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> c, int rows, int inner, int columns)
    {
        int width = Vector<double>.Count, block = 4 * width;
        for (int first = 0; first < inner; first += Depth)
        {
            int depth = Math.Min(Depth, inner - first);
            for (int column = 0; column < columns; column += block)
            {
                bool whole = column + block <= columns;
                int row = 0;
                for (; whole && row + RowsAtOnce <= rows; row += RowsAtOnce) Tile(a, b, c, row, first, depth, column, inner, columns);
                for (; row < rows; row++)
                {
                    var target = c.Slice(checked((row * columns) + column), Math.Min(block, columns - column));
                    for (int k = 0; k < depth; k++)
                        AddMultiple(target, b.Slice(((first + k) * columns) + column, target.Length), a[(row * inner) + first + k]);
                }
            }
        }
    }

    /// <summary>target += factor * source.</summary>
    public static void AddMultiple(Span<double> target, ReadOnlySpan<double> source, double factor)
    {
        int vectors = target.Length / Vector<double>.Count;
        var to = MemoryMarshal.Cast<double, Vector<double>>(target);
        var from = MemoryMarshal.Cast<double, Vector<double>>(source);
        var multiplier = new Vector<double>(factor);
        for (int i = 0; i < vectors; i++) to[i] += from[i] * multiplier;
        for (int i = vectors * Vector<double>.Count; i < target.Length; i++) target[i] += factor * source[i];
    }

    private static void Tile(
        ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> c, int row, int first, int depth, int column, int inner, int columns)
    {
        int width = Vector<double>.Count;
        for (int half = 0; half < 2; half++, column += 2 * width)
        {
            Span<double> c0 = c.Slice((row * columns) + column, 2 * width), c1 = c.Slice(((row + 1) * columns) + column, 2 * width),
                c2 = c.Slice(((row + 2) * columns) + column, 2 * width), c3 = c.Slice(((row + 3) * columns) + column, 2 * width);
            Vector<double> c00 = new(c0), c01 = new(c0[width..]), c10 = new(c1), c11 = new(c1[width..]), c20 = new(c2),
                c21 = new(c2[width..]), c30 = new(c3), c31 = new(c3[width..]);
            ReadOnlySpan<double> a0 = a.Slice((row * inner) + first, depth), a1 = a.Slice(((row + 1) * inner) + first, depth),
                a2 = a.Slice(((row + 2) * inner) + first, depth), a3 = a.Slice(((row + 3) * inner) + first, depth);
            for (int k = 0; k < depth; k++)
            {
                var at = b.Slice(((first + k) * columns) + column, 2 * width);
                Vector<double> b0 = new(at), b1 = new(at[width..]);
                Vector<double> x0 = new(a0[k]), x1 = new(a1[k]), x2 = new(a2[k]), x3 = new(a3[k]);
                c00 += x0 * b0;
                c01 += x0 * b1;
                c10 += x1 * b0;
                c11 += x1 * b1;
                c20 += x2 * b0;
                c21 += x2 * b1;
                c30 += x3 * b0;
                c31 += x3 * b1;
            }

            c00.CopyTo(c0);
            c01.CopyTo(c0[width..]);
            c10.CopyTo(c1);
            c11.CopyTo(c1[width..]);
            c20.CopyTo(c2);
            c21.CopyTo(c2[width..]);
            c30.CopyTo(c3);
            c31.CopyTo(c3[width..]);
        }
    }
}

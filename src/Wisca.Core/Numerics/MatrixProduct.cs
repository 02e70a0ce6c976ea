using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Wisca.Numerics;

/// <summary>
/// Products of matrices in float64, row after row in memory. Each element of the result is one chain of fused multiply-adds in the order
/// of the inner index, so that it depends neither on the number of threads nor on the width of vectors.
/// </summary>
public static class MatrixProduct
{
    // A block of A and a panel of B are packed, so that neither the cache nor its sets run over: strides are often powers of two.
    private const int Depth = 128, RowsOfBlock = 128, ColumnsOfTask = 512, SmallestPacked = 1 << 14;

    /// <summary>C += A B.</summary>
    /// <param name="a">[rows, inner].</param>
    /// <param name="b">[inner, columns].</param>
    /// <param name="c">[rows, columns].</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="inner">Columns of A, rows of B.</param>
    /// <param name="columns">Columns of B and C.</param>
    public static void Add(ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> c, int rows, int inner, int columns) =>
        Add(a, inner, b, columns, c, columns, rows, inner, columns);

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

    /// <summary>C += A B of parts of larger matrices, on several threads.</summary>
    /// <param name="a">A, of so many rows, with the columns that are summed over.</param>
    /// <param name="b">B.</param>
    /// <param name="c">C, of so many rows and columns.</param>
    /// <param name="threads">How many at most.</param>
    /// <param name="upperOnly">True to leave out of a square C blocks that lie below its diagonal.</param>
    internal static void Add(MatrixPart a, MatrixPart b, MatrixPart c, int threads, bool upperOnly = false)
    {
        int blocks = (c.Rows + RowsOfBlock - 1) / RowsOfBlock, across = (c.Columns + ColumnsOfTask - 1) / ColumnsOfTask;
        if (threads == 1) for (int task = 0; task < blocks * across; task++) Run(task);
        else Parallel.For(0, blocks * across, new ParallelOptions { MaxDegreeOfParallelism = threads }, Run);

        void Run(int task)
        {
            int row = task / across * RowsOfBlock, column = task % across * ColumnsOfTask;
            int rows = Math.Min(RowsOfBlock, c.Rows - row), columns = Math.Min(ColumnsOfTask, c.Columns - column);
            if (upperOnly && column + columns <= row) return;
            Add(
                a.From(row, 0), a.Stride, b.From(0, column), b.Stride, c.From(row, column), c.Stride, rows, a.Columns, columns);
        }
    }

    private static void Add(
        ReadOnlySpan<double> a, int strideA, ReadOnlySpan<double> b, int strideB, Span<double> c, int strideC, int rows, int inner,
        int columns)
    {
        // Eight rows by two vectors where there are 32 registers, four where there are 16.
        bool wide = Vector512.IsHardwareAccelerated;
        int tile = wide ? 8 : 4, width = wide ? 16 : 8;
        int tiled = (long)rows * inner * columns < SmallestPacked ? 0 : rows - (rows % tile);
        if (tiled > 0)
        {
            double[] left = ArrayPool<double>.Shared.Rent(RowsOfBlock * Depth), right = ArrayPool<double>.Shared.Rent(Depth * width);
            Span<double> edge = stackalloc double[8 * 16];
            for (int row = 0; row < tiled; row += RowsOfBlock)
            {
                int block = Math.Min(RowsOfBlock, tiled - row);
                for (int first = 0; first < inner; first += Depth)
                {
                    int depth = Math.Min(Depth, inner - first);
                    for (int at = 0; at < block; at += tile)
                        PackRows(a[(((row + at) * strideA) + first)..], strideA, depth, tile, left, at);
                    for (int column = 0; column < columns; column += width)
                    {
                        int count = Math.Min(width, columns - column);
                        PackColumns(b[((first * strideB) + column)..], strideB, depth, count, width, right);
                        for (int at = 0; at < block; at += tile)
                        {
                            var target = c[(((row + at) * strideC) + column)..];
                            ref double x = ref left[at * depth];
                            if (count == width)
                            {
                                Tile(wide, ref x, ref right[0], ref target[0], strideC, depth);
                                continue;
                            }

                            for (int i = 0; i < tile; i++) target.Slice(i * strideC, count).CopyTo(edge[(i * width)..]);
                            Tile(wide, ref x, ref right[0], ref edge[0], width, depth);
                            for (int i = 0; i < tile; i++) edge.Slice(i * width, count).CopyTo(target[(i * strideC)..]);
                        }
                    }
                }
            }

            ArrayPool<double>.Shared.Return(left);
            ArrayPool<double>.Shared.Return(right);
        }

        for (int row = tiled; row < rows; row++)
        {
            var target = c.Slice(row * strideC, columns);
            for (int k = 0; k < inner; k++) AddFused(target, b.Slice(k * strideB, columns), a[(row * strideA) + k]);
        }
    }

    private static void PackRows(ReadOnlySpan<double> a, int stride, int depth, int tile, double[] packed, int at)
    {
        var target = packed.AsSpan(at * depth, tile * depth);
        for (int i = 0; i < tile; i++)
        {
            var row = a.Slice(i * stride, depth);
            for (int k = 0; k < row.Length; k++) target[(k * tile) + i] = row[k];
        }
    }

    private static void PackColumns(ReadOnlySpan<double> b, int stride, int depth, int count, int width, double[] packed)
    {
        if (count < width) Array.Clear(packed, 0, depth * width);
        for (int k = 0; k < depth; k++) b.Slice(k * stride, count).CopyTo(packed.AsSpan(k * width));
    }

    private static void AddFused(Span<double> target, ReadOnlySpan<double> source, double factor)
    {
        ref double to = ref MemoryMarshal.GetReference(target), from = ref MemoryMarshal.GetReference(source);
        var factors = Vector256.Create(factor);
        int i = 0;
        for (; i <= target.Length - 4; i += 4)
            Vector256.FusedMultiplyAdd(factors, Vector256.LoadUnsafe(ref from, (nuint)i), Vector256.LoadUnsafe(ref to, (nuint)i))
                .StoreUnsafe(ref to, (nuint)i);
        for (; i < target.Length; i++) target[i] = Math.FusedMultiplyAdd(factor, source[i], target[i]);
    }

    private static void Tile(bool wide, ref double a, ref double b, ref double c, int stride, int depth)
    {
        if (wide) Tile8x16(ref a, ref b, ref c, stride, depth);
        else Tile4x8(ref a, ref b, ref c, stride, depth);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x8(ref double a, ref double b, ref double c, int stride, int depth)
    {
        ref double row0 = ref c, row1 = ref Unsafe.Add(ref c, stride), row2 = ref Unsafe.Add(ref row1, stride),
            row3 = ref Unsafe.Add(ref row2, stride);
        Vector256<double> c00 = Vector256.LoadUnsafe(ref row0), c01 = Vector256.LoadUnsafe(ref row0, 4),
            c10 = Vector256.LoadUnsafe(ref row1), c11 = Vector256.LoadUnsafe(ref row1, 4),
            c20 = Vector256.LoadUnsafe(ref row2), c21 = Vector256.LoadUnsafe(ref row2, 4),
            c30 = Vector256.LoadUnsafe(ref row3), c31 = Vector256.LoadUnsafe(ref row3, 4);
        for (int k = 0; k < depth; k++)
        {
            Vector256<double> b0 = Vector256.LoadUnsafe(ref b), b1 = Vector256.LoadUnsafe(ref b, 4);
            var x = Vector256.Create(a);
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            x = Vector256.Create(Unsafe.Add(ref a, 1));
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            x = Vector256.Create(Unsafe.Add(ref a, 2));
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            x = Vector256.Create(Unsafe.Add(ref a, 3));
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
            a = ref Unsafe.Add(ref a, 4);
            b = ref Unsafe.Add(ref b, 8);
        }

        c00.StoreUnsafe(ref row0);
        c01.StoreUnsafe(ref row0, 4);
        c10.StoreUnsafe(ref row1);
        c11.StoreUnsafe(ref row1, 4);
        c20.StoreUnsafe(ref row2);
        c21.StoreUnsafe(ref row2, 4);
        c30.StoreUnsafe(ref row3);
        c31.StoreUnsafe(ref row3, 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x16(ref double a, ref double b, ref double c, int stride, int depth)
    {
        ref double row0 = ref c, row1 = ref Unsafe.Add(ref c, stride), row2 = ref Unsafe.Add(ref row1, stride),
            row3 = ref Unsafe.Add(ref row2, stride), row4 = ref Unsafe.Add(ref row3, stride), row5 = ref Unsafe.Add(ref row4, stride),
            row6 = ref Unsafe.Add(ref row5, stride), row7 = ref Unsafe.Add(ref row6, stride);
        Vector512<double> c00 = Vector512.LoadUnsafe(ref row0), c01 = Vector512.LoadUnsafe(ref row0, 8),
            c10 = Vector512.LoadUnsafe(ref row1), c11 = Vector512.LoadUnsafe(ref row1, 8),
            c20 = Vector512.LoadUnsafe(ref row2), c21 = Vector512.LoadUnsafe(ref row2, 8),
            c30 = Vector512.LoadUnsafe(ref row3), c31 = Vector512.LoadUnsafe(ref row3, 8),
            c40 = Vector512.LoadUnsafe(ref row4), c41 = Vector512.LoadUnsafe(ref row4, 8),
            c50 = Vector512.LoadUnsafe(ref row5), c51 = Vector512.LoadUnsafe(ref row5, 8),
            c60 = Vector512.LoadUnsafe(ref row6), c61 = Vector512.LoadUnsafe(ref row6, 8),
            c70 = Vector512.LoadUnsafe(ref row7), c71 = Vector512.LoadUnsafe(ref row7, 8);
        for (int k = 0; k < depth; k++)
        {
            Vector512<double> b0 = Vector512.LoadUnsafe(ref b), b1 = Vector512.LoadUnsafe(ref b, 8);
            var x = Vector512.Create(a);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(Unsafe.Add(ref a, 1));
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(Unsafe.Add(ref a, 2));
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(Unsafe.Add(ref a, 3));
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(Unsafe.Add(ref a, 4));
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(Unsafe.Add(ref a, 5));
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(Unsafe.Add(ref a, 6));
            c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
            c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(Unsafe.Add(ref a, 7));
            c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
            c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
            a = ref Unsafe.Add(ref a, 8);
            b = ref Unsafe.Add(ref b, 16);
        }

        c00.StoreUnsafe(ref row0);
        c01.StoreUnsafe(ref row0, 8);
        c10.StoreUnsafe(ref row1);
        c11.StoreUnsafe(ref row1, 8);
        c20.StoreUnsafe(ref row2);
        c21.StoreUnsafe(ref row2, 8);
        c30.StoreUnsafe(ref row3);
        c31.StoreUnsafe(ref row3, 8);
        c40.StoreUnsafe(ref row4);
        c41.StoreUnsafe(ref row4, 8);
        c50.StoreUnsafe(ref row5);
        c51.StoreUnsafe(ref row5, 8);
        c60.StoreUnsafe(ref row6);
        c61.StoreUnsafe(ref row6, 8);
        c70.StoreUnsafe(ref row7);
        c71.StoreUnsafe(ref row7, 8);
    }
}

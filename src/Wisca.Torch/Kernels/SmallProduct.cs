using System.Numerics;
using System.Runtime.CompilerServices;

namespace Wisca.Torch.Kernels;

/// <summary>
/// Products of matrices so small that a library spends its time packing them: the width of the result is <see cref="Width"/>, two vectors.
/// </summary>
internal static unsafe class SmallProduct
{
    /// <summary>Columns of a result.</summary>
    public static int Width => 2 * Vector<float>.Count;

    /// <summary>C = A B or C += A B with C [rows, Width], A [rows, depth] and B [depth, Width].</summary>
    /// <param name="a">A, whose element (row, k) lies at row * aRow + k * aStep.</param>
    /// <param name="aRow">From row to row of A.</param>
    /// <param name="aStep">From column to column of A.</param>
    /// <param name="rows">Rows of A and C.</param>
    /// <param name="b">B, whose rows are contiguous.</param>
    /// <param name="bRow">From row to row of B.</param>
    /// <param name="depth">Columns of A, rows of B.</param>
    /// <param name="c">C, whose rows are contiguous.</param>
    /// <param name="cRow">From row to row of C.</param>
    /// <param name="add">True to add to what is in C.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* a, nint aRow, nint aStep, int rows, float* b, nint bRow, int depth, float* c, nint cRow, bool add)
    {
        nint half = Vector<float>.Count;
        int row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            float* a0 = a + (row * aRow), a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
            float* right = b;
            Vector<float> c00 = default, c01 = default, c10 = default, c11 = default,
                c20 = default, c21 = default, c30 = default, c31 = default;
            for (nint k = 0, at = 0; k < depth; k++, at += aStep, right += bRow)
            {
                Vector<float> b0 = Vector.Load(right), b1 = Vector.Load(right + half);
                var x = new Vector<float>(a0[at]);
                c00 = Vector.FusedMultiplyAdd(x, b0, c00);
                c01 = Vector.FusedMultiplyAdd(x, b1, c01);
                x = new Vector<float>(a1[at]);
                c10 = Vector.FusedMultiplyAdd(x, b0, c10);
                c11 = Vector.FusedMultiplyAdd(x, b1, c11);
                x = new Vector<float>(a2[at]);
                c20 = Vector.FusedMultiplyAdd(x, b0, c20);
                c21 = Vector.FusedMultiplyAdd(x, b1, c21);
                x = new Vector<float>(a3[at]);
                c30 = Vector.FusedMultiplyAdd(x, b0, c30);
                c31 = Vector.FusedMultiplyAdd(x, b1, c31);
            }

            float* to = c + (row * cRow);
            Put(to, c00, c01, add);
            Put(to + cRow, c10, c11, add);
            Put(to + (2 * cRow), c20, c21, add);
            Put(to + (3 * cRow), c30, c31, add);
        }

        for (; row < rows; row++)
        {
            float* left = a + (row * aRow);
            float* right = b;
            Vector<float> c0 = default, c1 = default;
            for (nint k = 0, at = 0; k < depth; k++, at += aStep, right += bRow)
            {
                var x = new Vector<float>(left[at]);
                c0 = Vector.FusedMultiplyAdd(x, Vector.Load(right), c0);
                c1 = Vector.FusedMultiplyAdd(x, Vector.Load(right + half), c1);
            }

            Put(c + (row * cRow), c0, c1, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* to, Vector<float> left, Vector<float> right, bool add)
    {
        if (add)
        {
            left += Vector.Load(to);
            right += Vector.Load(to + Vector<float>.Count);
        }

        left.Store(to);
        right.Store(to + Vector<float>.Count);
    }
}

using System.Numerics;
using System.Runtime.InteropServices;
using Wisca.Numerics;

namespace Wisca.Rotations;

/// <summary>
/// A rotation that is diag(before) H diag(after) with a Hadamard matrix H that is many doublings of a small core: a product with it takes
/// log2 n additions for an element, and the core's size, where one with a dense matrix takes n.
/// </summary>
/// <param name="Doublings">The number of doublings.</param>
/// <param name="Core">The core, [size, size], row after row.</param>
/// <param name="Before">A factor for each index before H.</param>
/// <param name="After">A factor for each index behind it.</param>
internal sealed record HadamardTurn(int Doublings, double[] Core, double[] Before, double[] After)
{
    // A dense product with a smaller matrix is as fast.
    private const int Smallest = 32;

    private readonly int _core = (int)Math.Round(Math.Sqrt(Core.Length));
    private readonly double[] _transposed = Transpose(Core);

    /// <summary>Knows a rotation as a Hadamard matrix with signs, or as the way back from one; null where it is neither.</summary>
    /// <param name="rotation">R, [n, n].</param>
    public static HadamardTurn? Find(double[,] rotation)
    {
        int n = rotation.GetLength(0);
        double scale = Math.Abs(rotation[0, 0]);
        if (n < Smallest || Math.Abs((scale * scale * n) - 1) > 1e-12) return null;
        foreach (double value in rotation)
        {
            if (value != scale && value != -scale) return null;
        }

        if (HadamardMatrix.Parts(n) is not var (doublings, core) || doublings == 0 || HadamardMatrix.Of(n) is not { } matrix) return null;
        double[] flat = new double[core.Length], rows = new double[n], columns = new double[n], scales = new double[n];
        Array.Fill(scales, scale);
        int index = 0;
        foreach (sbyte element in core) flat[index++] = element;
        bool isForward = true, isBack = true;
        for (int i = 0; i < n; i++)
        {
            rows[i] = Math.Sign(rotation[i, 0]) * matrix[i, 0];
            columns[i] = Math.Sign(rotation[0, i]) * matrix[i, 0];
        }

        for (int i = 0; i < n && (isForward || isBack); i++)
        {
            for (int j = 0; j < n; j++)
            {
                int sign = Math.Sign(rotation[i, j]);
                isForward &= sign == rows[i] * matrix[i, j];
                isBack &= sign == columns[j] * matrix[j, i];
            }
        }

        // Doublings are symmetric, and so the way back is the transposed core.
        return isForward ? new HadamardTurn(doublings, flat, rows, scales)
            : isBack ? new HadamardTurn(doublings, Transpose(flat), scales, columns)
            : null;
    }

    /// <summary>Y[j] = sum over i of X[i] H[i, j], for each run of so many.</summary>
    /// <param name="values">X, one behind the other, each [n, inner]; they become Y.</param>
    /// <param name="inner">Number of elements of one index that lie together.</param>
    public void Apply(Span<double> values, int inner)
    {
        int n = _core << Doublings;
        if (_core > 1)
        {
            double[] result = new double[inner == 1 ? values.Length : _core * inner];
            if (inner == 1)
            {
                MatrixProduct.Add(values, Core, result, values.Length / _core, _core, _core);
                result.CopyTo(values);
            }
            else
            {
                for (int first = 0; first < values.Length; first += _core * inner)
                {
                    var block = values.Slice(first, _core * inner);
                    Array.Clear(result);
                    MatrixProduct.Add(_transposed, block, result, _core, _core, inner);
                    result.CopyTo(block);
                }
            }
        }

        for (int first = 0; first < values.Length; first += n * inner)
        {
            for (int half = _core * inner; half < n * inner; half *= 2)
            {
                for (int start = first; start < first + (n * inner); start += 2 * half)
                    Butterfly(values.Slice(start, half), values.Slice(start + half, half));
            }
        }
    }

    private static void Butterfly(Span<double> left, Span<double> right)
    {
        var a = MemoryMarshal.Cast<double, Vector<double>>(left);
        var b = MemoryMarshal.Cast<double, Vector<double>>(right);
        for (int i = 0; i < a.Length; i++) (a[i], b[i]) = (a[i] + b[i], a[i] - b[i]);
        for (int i = a.Length * Vector<double>.Count; i < left.Length; i++) (left[i], right[i]) = (left[i] + right[i], left[i] - right[i]);
    }

    private static double[] Transpose(double[] square)
    {
        int size = (int)Math.Round(Math.Sqrt(square.Length));
        double[] transposed = new double[square.Length];
        for (int i = 0; i < square.Length; i++) transposed[(i % size * size) + (i / size)] = square[i];
        return transposed;
    }
}

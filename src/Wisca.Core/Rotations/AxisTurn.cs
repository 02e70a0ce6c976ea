using Wisca.Numerics;

namespace Wisca.Rotations;

/// <summary>
/// What a rotation does to a run of indices of an axis: T'[.., start + j, ..] = sum over i of T[.., start + i, ..] M[i, j] with
/// M = diag(before) R diag(after). A factor for each index is the case without R. R is shared among all that turn by it.
/// </summary>
/// <param name="Axis">The axis.</param>
/// <param name="Start">The first index.</param>
/// <param name="Size">Number of indices.</param>
/// <param name="Rotation">R, [size, size], row after row; null for the identity.</param>
/// <param name="Before">A factor for each index before R; null for ones.</param>
/// <param name="After">A factor for each index behind it; null for ones.</param>
/// <param name="Fast">R as a Hadamard matrix; null where it is none.</param>
internal sealed record AxisTurn(
    int Axis, int Start, int Size, double[]? Rotation, double[]? Before, double[]? After, HadamardTurn? Fast = null)
{
    /// <summary>A factor for each index.</summary>
    public static AxisTurn Scale(int axis, double[] factors) => new(axis, 0, factors.Length, null, factors, null);

    /// <summary>
    /// Number of elements that lie together at one index, where indices count through all axes before; null where they are one axis's.
    /// </summary>
    public int? Inner { get; init; }

    /// <summary>Turns a tensor, or whole rows of one where the axis is its last.</summary>
    /// <param name="values">Its elements.</param>
    /// <param name="length">Length of the axis.</param>
    /// <param name="inner">Number of elements of one index of the axis that lie together: 1 for the last axis.</param>
    public void Apply(Span<double> values, int length, int inner)
    {
        int outer = values.Length / (length * inner);
        if (Rotation is null || inner > 1)
        {
            double[]? transposed = Rotation is null || Fast is not null ? null : Transposed(Rotation);
            double[] result = transposed is null ? [] : new double[Size * inner];
            for (int block = 0; block < outer; block++)
                Turn(values.Slice(((block * length) + Start) * inner, Size * inner), inner, transposed, result);
            return;
        }

        // Row by row a product with M; the rows of the run are gathered, so that the product is one of dense matrices.
        double[] rows = new double[outer * Size];
        for (int row = 0; row < outer; row++)
        {
            var own = rows.AsSpan(row * Size, Size);
            values.Slice((row * length) + Start, Size).CopyTo(own);
            Multiply(own, Before, 1);
            Multiply(own, Fast?.Before, 1);
        }

        if (Fast is not null) Fast.Apply(rows, 1);
        else
        {
            double[] turned = new double[rows.Length];
            MatrixProduct.Add(rows, Rotation, turned, outer, Size, Size);
            rows = turned;
        }

        for (int row = 0; row < outer; row++)
        {
            var own = rows.AsSpan(row * Size, Size);
            Multiply(own, Fast?.After, 1);
            Multiply(own, After, 1);
            own.CopyTo(values.Slice((row * length) + Start, Size));
        }
    }

    private void Turn(Span<double> target, int inner, double[]? transposed, double[] result)
    {
        Multiply(target, Before, inner);
        Multiply(target, Fast?.Before, inner);
        if (Fast is not null) Fast.Apply(target, inner);
        else if (transposed is not null)
        {
            Array.Clear(result);
            MatrixProduct.Add(transposed, target, result, Size, Size, inner);
            result.CopyTo(target);
        }

        Multiply(target, Fast?.After, inner);
        Multiply(target, After, inner);
    }

    private static void Multiply(Span<double> target, double[]? factors, int inner)
    {
        if (factors is null) return;
        for (int index = 0; index < factors.Length; index++)
        {
            foreach (ref double value in target.Slice(index * inner, inner)) value *= factors[index];
        }
    }

    private double[] Transposed(double[] matrix)
    {
        double[] transposed = new double[matrix.Length];
        for (int row = 0; row < Size; row++)
        {
            for (int column = 0; column < Size; column++) transposed[(column * Size) + row] = matrix[(row * Size) + column];
        }

        return transposed;
    }
}

using Wisca.Numerics;

namespace Wisca.Rotations;

/// <summary>
/// What a rotation does to a run of indices of an axis: T'[.., start + j, ..] = sum over i of T[.., start + i, ..] M[i, j].
/// A factor for each index is the diagonal case.
/// </summary>
/// <param name="Axis">The axis.</param>
/// <param name="Start">The first index.</param>
/// <param name="Matrix">M, [size, size], row after row; or the factors alone, [size].</param>
/// <param name="Size">Number of indices.</param>
internal sealed record AxisTurn(int Axis, int Start, double[] Matrix, int Size)
{
    /// <summary>A factor for each index.</summary>
    public static AxisTurn Scale(int axis, double[] factors) => new(axis, 0, factors, factors.Length);

    /// <summary>
    /// Number of elements that lie together at one index, where indices count through all axes before; null where they are one axis's.
    /// </summary>
    public int? Inner { get; init; }

    /// <summary>diag(before) R diag(after); null stands for ones.</summary>
    public static AxisTurn Of(int axis, int start, double[,] rotation, double[]? before = null, double[]? after = null)
    {
        int size = rotation.GetLength(0);
        double[] matrix = new double[size * size];
        Buffer.BlockCopy(rotation, 0, matrix, 0, matrix.Length * sizeof(double));
        for (int row = 0; before is not null && row < size; row++)
        {
            foreach (ref double value in matrix.AsSpan(row * size, size)) value *= before[row];
        }

        for (int row = 0; after is not null && row < size; row++)
        {
            var values = matrix.AsSpan(row * size, size);
            for (int column = 0; column < size; column++) values[column] *= after[column];
        }

        return new AxisTurn(axis, start, matrix, size);
    }

    /// <summary>Turns a tensor, or whole rows of one where the axis is its last.</summary>
    /// <param name="values">Its elements.</param>
    /// <param name="length">Length of the axis.</param>
    /// <param name="inner">Number of elements of one index of the axis that lie together: 1 for the last axis.</param>
    public void Apply(Span<double> values, int length, int inner)
    {
        int outer = values.Length / (length * inner);
        if (Matrix.Length == Size)
        {
            for (int block = 0; block < outer; block++)
            {
                for (int index = 0; index < Size; index++)
                {
                    foreach (ref double value in values.Slice(((block * length) + Start + index) * inner, inner)) value *= Matrix[index];
                }
            }

            return;
        }

        if (inner == 1)
        {
            // Row by row a product with M; the rows of the run are gathered, so that the product is one of dense matrices.
            double[] rows = new double[outer * Size], turned = new double[outer * Size];
            for (int row = 0; row < outer; row++) values.Slice((row * length) + Start, Size).CopyTo(rows.AsSpan(row * Size));
            MatrixProduct.Add(rows, Matrix, turned, outer, Size, Size);
            for (int row = 0; row < outer; row++) turned.AsSpan(row * Size, Size).CopyTo(values.Slice((row * length) + Start, Size));
            return;
        }

        double[] transposed = new double[Matrix.Length], result = new double[Size * inner];
        for (int row = 0; row < Size; row++)
        {
            for (int column = 0; column < Size; column++) transposed[(column * Size) + row] = Matrix[(row * Size) + column];
        }

        for (int block = 0; block < outer; block++)
        {
            var target = values.Slice(((block * length) + Start) * inner, Size * inner);
            Array.Clear(result);
            MatrixProduct.Add(transposed, target, result, Size, Size, inner);
            result.CopyTo(target);
        }
    }
}

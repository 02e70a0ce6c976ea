using System.Buffers;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>
/// A stored matrix with one of its axes singled out. A bias counts as a matrix of one row whose columns are its elements, and a stack of
/// matrices as one below the other.
/// </summary>
internal readonly struct MatrixView
{
    /// <param name="tensor">The tensor.</param>
    /// <param name="axis">0 for rows, 1 for columns.</param>
    /// <param name="rowFactors">By which the numbers of each row are multiplied when they are read; null for none.</param>
    /// <param name="columnFactors">The same for columns.</param>
    public MatrixView(StoredTensor tensor, int axis, double[]? rowFactors = null, double[]? columnFactors = null)
    {
        (RowFactors, ColumnFactors) = (rowFactors, columnFactors);
        Tensor = tensor;
        var shape = tensor.Info.Shape;
        if (shape.Any(dimension => dimension > int.MaxValue) || shape[^1] * (Dtype.Bits() / 8) > int.MaxValue)
            throw new WiscaException(
                $"tensor '{tensor.Info.Name}' has shape {tensor.Info.ShapeText}: rows of 2 GB and more are not rescaled");
        Rows = checked((int)shape.SkipLast(1).Aggregate(1L, (product, dimension) => product * dimension));
        Columns = (int)shape[^1];
        ByRow = shape.Length > 1 && axis == 0;
    }

    public StoredTensor Tensor { get; }

    private double[]? RowFactors { get; }

    private double[]? ColumnFactors { get; }

    public Dtype Dtype => Tensor.Info.Dtype;

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>True where the axis runs over the rows, false where it runs over the columns.</summary>
    public bool ByRow { get; }

    /// <summary>Length of the axis.</summary>
    public int Length => ByRow ? Rows : Columns;

    /// <summary>Number of elements at each index of the axis.</summary>
    public int ElementsPerIndex => ByRow ? Columns : Rows;

    public int RowBytes => Columns * (Dtype.Bits() / 8);

    /// <summary>The numbers of a row's bytes.</summary>
    /// <param name="row">Which.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="values">Where its elements go.</param>
    public void Decode(int row, ReadOnlySpan<byte> bytes, Span<double> values)
    {
        Elements.Decode(Dtype, bytes, values);
        for (int column = 0; RowFactors is not null && column < Columns; column++) values[column] *= RowFactors[row];
        for (int column = 0; ColumnFactors is not null && column < Columns; column++) values[column] *= ColumnFactors[column];
    }

    /// <summary>Reads a row as numbers.</summary>
    /// <param name="row">Which.</param>
    /// <param name="values">Where its elements go.</param>
    public void Decode(int row, Span<double> values)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(RowBytes);
        Tensor.Read((long)row * RowBytes, bytes.AsSpan(0, RowBytes));
        Decode(row, bytes.AsSpan(0, RowBytes), values);
        ArrayPool<byte>.Shared.Return(bytes);
    }
}

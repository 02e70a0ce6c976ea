namespace Wisca.Numerics;

/// <summary>A part of a matrix that lies row after row in memory.</summary>
/// <param name="Values">The whole.</param>
/// <param name="Start">Where the part's first element is.</param>
/// <param name="Stride">How far its rows lie apart.</param>
/// <param name="Rows">Number of its rows.</param>
/// <param name="Columns">Number of its columns.</param>
internal readonly record struct MatrixPart(double[] Values, int Start, int Stride, int Rows, int Columns)
{
    /// <summary>A whole matrix, or its first rows.</summary>
    public MatrixPart(double[] values, int rows, int columns)
        : this(values, 0, columns, rows, columns)
    {
    }

    /// <summary>All from an element on.</summary>
    public Span<double> From(int row, int column) => Values.AsSpan(Start + (row * Stride) + column);
}

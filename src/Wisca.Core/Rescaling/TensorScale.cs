using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Scales a tensor: a factor for each row and each column, whose product each element is multiplied by and rounded once.</summary>
/// <param name="Factors">The factors.</param>
/// <param name="KeepLosses">True to record the elements that do not survive the way back.</param>
/// <param name="Restored">Finds the elements to set to given bits after scaling; null, or gives null, for none.</param>
internal sealed record TensorScale(AxisFactors Factors, bool KeepLosses = false, Func<Restoration?>? Restored = null)
    : TensorEdit(Factors.Columns is null ? 0 : 1)
{
    private readonly double[] _one = [1];
    private double[] _products = [], _values = [];

    public bool PowersOfTwo { get; } = Factors.All(Elements.IsPowerOfTwo);

    /// <summary>Every axis along which it has factors, with the number of matrices that have columns of their own.</summary>
    public IEnumerable<(int Axis, int Parts)> Axes(MatrixView matrix)
    {
        if (Factors.Rows is not null) yield return (0, 1);
        if (Factors.Columns is { } columns) yield return (1, columns.Length / matrix.Columns);
    }

    /// <summary>The factors that a row sees: one for all of it, or one for each of its elements.</summary>
    public ReadOnlySpan<double> Of(MatrixView matrix, int row)
    {
        bool vector = matrix.Tensor.Info.Shape.Length == 1;
        if (vector) return Factors.Rows ?? Factors.Columns;
        double factor = Factors.Rows is { } rows ? rows[row] : 1;
        if (Factors.Columns is not { } all)
        {
            _one[0] = factor;
            return _one;
        }

        int parts = all.Length / matrix.Columns;
        var columns = all.AsSpan(row / (matrix.Rows / parts) * matrix.Columns, matrix.Columns);
        if (factor == 1) return columns;
        if (_products.Length < columns.Length) _products = new double[columns.Length];
        for (int i = 0; i < columns.Length; i++) _products[i] = factor * columns[i];
        return _products.AsSpan(0, columns.Length);
    }

    /// <summary>The way back.</summary>
    public TensorScale Inverse() => new(Factors.Inverse());

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        var factors = Of(matrix, row);
        if (!Factors.AddsOne)
        {
            Elements.Scale(matrix.Dtype, source, target, factors, PowersOfTwo);
            return;
        }

        if (_values.Length < matrix.Columns) _values = new double[matrix.Columns];
        var values = _values.AsSpan(0, matrix.Columns);
        Elements.Decode(matrix.Dtype, source, values);
        for (int i = 0; i < values.Length; i++)
        {
            double factor = factors.Length == 1 ? factors[0] : factors[i];

            // What has no factor keeps its bits.
            if (factor != 1) values[i] = (factor * (1 + values[i])) - 1;
        }

        Elements.Encode(matrix.Dtype, values, target);
    }
}

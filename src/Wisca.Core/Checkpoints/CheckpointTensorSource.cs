using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>Measures the tensors of a checkpoint or an adapter on disk.</summary>
internal sealed class CheckpointTensorSource : ITensorSource
{
    private readonly IWeightFolder _weights;

    /// <param name="checkpoint">The opened model folder.</param>
    public CheckpointTensorSource(Checkpoint checkpoint)
        : this((IWeightFolder)checkpoint)
    {
    }

    internal CheckpointTensorSource(IWeightFolder weights) => _weights = weights;

    /// <inheritdoc />
    public Dtype DtypeOf(string tensor) => Find(tensor).Info.Dtype;

    /// <inheritdoc />
    public AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null)
    {
        var matrix = new MatrixView(Find(tensor), axis);
        if (parts > 1 || addsOne || others is not null) return Measure(matrix, parts, addsOne, others);
        var measurement = new AxisMeasurement(matrix.Dtype, matrix.ByRow ? 0 : 1, matrix.Length);
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int row = 0; row < rows.Count; row++) measurement.AddRow(rows.First + row, rows.Row(row));
        }

        if (measurement.HasNonFinite()) throw NonFinite(matrix);
        return measurement.ToStatistics(matrix.ElementsPerIndex);
    }

    /// <inheritdoc />
    public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups)
    {
        var matrix = new MatrixView(Find(tensor), axis);
        int parts = groupOfIndex.Length / matrix.Length;
        if (parts == 1) return SpectralNorm.Of(matrix, groupOfIndex, groups);

        // Columns of each matrix of a stack: no group spans two.
        double[] norms = new double[groups];
        for (int part = 0; part < parts; part++)
        {
            var own = groupOfIndex.AsSpan(part * matrix.Length, matrix.Length).ToArray();
            double[] found = SpectralNorm.Of(new MatrixView(Find(tensor).Part(part, parts), axis), own, groups);
            foreach (int group in own.Where(group => group >= 0).Distinct()) norms[group] = found[group];
        }

        return norms;
    }

    private static AxisStatistics Measure(MatrixView matrix, int parts, bool addsOne, double[]? others)
    {
        int rowsOfPart = matrix.Rows / parts;
        var measurement = new AxisMeasurement(matrix.Dtype, matrix.ByRow ? 0 : 1, matrix.Length * (matrix.ByRow ? 1 : parts));
        double[] values = new double[matrix.Columns], one = [1];
        using var rows = new RowReader(matrix);
        for (int row = 0; row < matrix.Rows; row++)
        {
            rows.Decode(row, values);
            var factors = others is null ? one
                : matrix.ByRow ? others.AsSpan(row / (matrix.Rows / (others.Length / matrix.Columns)) * matrix.Columns, matrix.Columns)
                : others.AsSpan(row, 1);
            measurement.AddRow(row, values, row / rowsOfPart * matrix.Columns, factors, addsOne ? 1 : 0);
        }

        if (measurement.HasNonFinite()) throw NonFinite(matrix);
        return measurement.ToStatistics(matrix.ByRow ? matrix.Columns : rowsOfPart);
    }

    private StoredTensor Find(string tensor) =>
        _weights.Find(tensor) ?? throw new ArgumentException($"no tensor '{tensor}'", nameof(tensor));

    private static WiscaException NonFinite(MatrixView matrix)
    {
        double[] values = new double[matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
        {
            matrix.Decode(row, values);
            for (int column = 0; column < values.Length; column++)
            {
                bool broken = matrix.Dtype == Dtype.F16 ? Math.Abs(values[column]) >= 65536 : !double.IsFinite(values[column]);
                if (!broken) continue;
                string at = matrix.Tensor.Info.Shape.Length == 1 ? $"[{column}]" : $"[{row}, {column}]";
                return new WiscaException(
                    $"{Path.GetFileName(matrix.Tensor.File.FullPath)}: tensor '{matrix.Tensor.Info.Name}' holds NaN or infinity at {at}",
                    "the checkpoint is broken (a diverged run?); take an earlier one");
            }
        }

        throw new InvalidOperationException($"{matrix.Tensor.Info.Name}: a non-finite statistic without a non-finite element");
    }
}

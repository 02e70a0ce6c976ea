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
    public AxisStatistics Measure(string tensor, int axis)
    {
        var matrix = new MatrixView(Find(tensor), axis);
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
    public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups) =>
        SpectralNorm.Of(new MatrixView(Find(tensor), axis), groupOfIndex, groups);

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

using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;

namespace Wisca.Inspection;

/// <summary>Measures outliers in the matrices of a checkpoint.</summary>
public static class OutlierMeter
{
    /// <summary>Measures every matrix, in the order of the checkpoint, in float64 and in one pass each.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told the share of the elements that is done.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A tensor holds NaN or infinity.</exception>
    public static ImmutableArray<TensorOutliers> Measure(
        Checkpoint checkpoint, int threads = 0, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        StoredTensor[] tensors =
        [
            .. checkpoint.Tensors.Where(tensor =>
                tensor.Info.Dtype.IsRescalable() && tensor.Info.Shape.Length > 1 && tensor.Info.ElementCount > 0),
        ];
        var measured = new TensorOutliers[tensors.Length];
        double all = tensors.Sum(tensor => (double)tensor.Info.ElementCount);
        long done = 0;
        Workers.Run(
            [.. Enumerable.Range(0, tensors.Length)],
            threads > 0 ? threads : Environment.ProcessorCount,
            index =>
            {
                measured[index] = Measure(tensors[index], cancellation);
                progress?.Report(Interlocked.Add(ref done, tensors[index].Info.ElementCount) / all);
            },
            cancellation);
        return [.. measured];
    }

    private static TensorOutliers Measure(StoredTensor tensor, CancellationToken cancellation)
    {
        var matrix = new MatrixView(tensor, 0);
        double[] values = new double[matrix.Columns], columns = new double[matrix.Columns];
        double first = 0, second = 0, third = 0, fourth = 0, largest = 0, largestRow = 0;
        using var reader = new RowReader(matrix);
        for (int row = 0; row < matrix.Rows; row++)
        {
            if (row % 1024 == 0) cancellation.ThrowIfCancellationRequested();
            reader.Decode(row, values);
            double squares = 0;
            for (int column = 0; column < values.Length; column++)
            {
                double value = values[column], square = value * value;
                first += value;
                third += value * square;
                fourth += square * square;
                squares += square;
                columns[column] += square;
                largest = Math.Max(largest, Math.Abs(value));
            }

            second += squares;
            largestRow = Math.Max(largestRow, squares);
        }

        if (!double.IsFinite(second))
            throw new WiscaException($"tensor '{tensor.Info.Name}' holds NaN or infinity", "is this checkpoint from a run that diverged?");

        // Weights lie around zero, so that raw moments lose nothing on the way to central ones.
        double count = tensor.Info.ElementCount, mean = first / count, size = second / count;
        double variance = size - (mean * mean);
        double moment = (fourth / count) - (4 * mean * third / count) + (6 * mean * mean * size) - (3 * Math.Pow(mean, 4));
        double root = Math.Sqrt(size);
        return new TensorOutliers(
            tensor.Info.Name,
            variance > 0 ? moment / (variance * variance) : double.NaN,
            root > 0 ? largest / root : 0,
            root > 0 ? Math.Sqrt(largestRow / matrix.Columns) / root : 0,
            root > 0 ? Math.Sqrt(columns.Max() / matrix.Rows) / root : 0);
    }
}

using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>M A (from the left) or B M (from the right), in float64 and rounded once.</summary>
internal sealed record MixEdit(StoredTensor Tensor, double[,] Matrix, bool FromLeft) : TensorEdit(0)
{
    private double[]? _values;

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        _values ??= LowRankUpdate.Values(Tensor);
        double[] result = new double[matrix.Columns];
        int rank = Matrix.GetLength(0);
        for (int k = 0; k < rank; k++)
        {
            double factor = FromLeft ? Matrix[row, k] : _values[((long)row * rank) + k];
            for (int column = 0; column < result.Length; column++)
                result[column] += factor * (FromLeft ? _values[((long)k * result.Length) + column] : Matrix[k, column]);
        }

        MergeEdit.Store(matrix, row, result, target);
    }

    public override void Complete() => _values = null;
}

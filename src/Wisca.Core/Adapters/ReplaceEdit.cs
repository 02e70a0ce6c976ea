using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>A tensor that the adapter stores whole, in the base's type.</summary>
internal sealed record ReplaceEdit(StoredTensor Replacement) : TensorEdit(0)
{
    private readonly MatrixView _from = new(Replacement, 0);

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        double[] values = new double[matrix.Columns];
        _from.Decode(row, values);
        MergeEdit.Store(matrix, row, values, target);
    }
}

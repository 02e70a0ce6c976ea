using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>b + scale b_B: the base's bias, or the adapter's copy of it, and B's own.</summary>
internal sealed record BiasEdit(AdapterModule Module, StoredTensor? Stored) : TensorEdit(0)
{
    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        double[] values = new double[matrix.Columns];
        if (Stored is not null) values = LowRankUpdate.Values(Stored);
        else Elements.Decode(matrix.Dtype, source, values);
        double[] own = LowRankUpdate.Values(Module.Bias!);
        for (int i = 0; i < values.Length; i++) values[i] += Module.Scale * own[i];
        MergeEdit.Store(matrix, row, values, target);
    }
}

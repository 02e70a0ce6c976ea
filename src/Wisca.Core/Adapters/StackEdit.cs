using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>Matrices that are stored as one tensor, each with its own factors: the experts of a layer.</summary>
internal sealed record StackEdit(IReadOnlyDictionary<int, MergeEdit> Slabs) : TensorEdit(0)
{
    private int _current = -1;

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        int slab = row / (matrix.Rows / (int)matrix.Tensor.Info.Shape[0]);
        if (slab != _current && Slabs.GetValueOrDefault(_current) is { } last) last.Complete();
        _current = slab;
        if (Slabs.TryGetValue(slab, out var edit)) edit.Apply(matrix, row, source, target);
        else source.CopyTo(target);
    }

    public override void Complete()
    {
        foreach (var edit in Slabs.Values) edit.Complete();
    }
}

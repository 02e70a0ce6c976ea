using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>A tensor as it is.</summary>
internal sealed record CopyEdit() : TensorEdit(0)
{
    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target) => source.CopyTo(target);
}

using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Rescaling;

/// <summary>Writes other numbers into a vector.</summary>
/// <param name="Values">The numbers.</param>
internal sealed record VectorEdit(double[] Values) : TensorEdit(0)
{
    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target) =>
        Elements.Encode(matrix.Dtype, Values, target);
}

using Wisca.Checkpoints;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>One tensor in both models.</summary>
/// <param name="A">The reference's.</param>
/// <param name="B">The other's.</param>
/// <param name="Seen">Factors through which the other's is seen: those that take back what a norm's gain explains; null for none.</param>
internal sealed record TensorPair(StoredTensor A, StoredTensor B, AxisFactors? Seen = null)
{
    /// <summary>The reference's along an axis.</summary>
    public MatrixView Left(int axis) => new(A, axis);

    /// <summary>The other's along an axis, as it is seen.</summary>
    public MatrixView Right(int axis) => new(B, axis, Seen?.Rows, Seen?.Columns);

    /// <summary>One of the matrices of a stack.</summary>
    public TensorPair Part(int part, int parts)
    {
        var seen = Seen;
        if (seen?.Rows is { } rows && rows.Length > parts)
            seen = seen with { Rows = rows.AsSpan(part * (rows.Length / parts), rows.Length / parts).ToArray() };
        return new TensorPair(A.Part(part, parts), B.Part(part, parts), seen);
    }
}

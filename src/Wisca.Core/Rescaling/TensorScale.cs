using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Rescaling;

/// <summary>Scales a tensor: a factor for each index along one axis.</summary>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Factors">One factor for each index.</param>
/// <param name="KeepLosses">True to record the elements that do not survive the way back.</param>
/// <param name="Restored">Finds the elements to set to given bits after scaling; null, or gives null, for none.</param>
internal sealed record TensorScale(int Axis, double[] Factors, bool KeepLosses = false, Func<Restoration?>? Restored = null)
    : TensorEdit(Axis)
{
    public bool PowersOfTwo { get; } = Array.TrueForAll(Factors, Elements.IsPowerOfTwo);

    /// <summary>The factors that a row sees: one for all of it, or one for each of its elements.</summary>
    public ReadOnlySpan<double> Of(MatrixView matrix, int row) => matrix.ByRow ? Factors.AsSpan(row, 1) : Factors;

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target) =>
        Elements.Scale(matrix.Dtype, source, target, Of(matrix, row), PowersOfTwo);
}

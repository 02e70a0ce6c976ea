using Wisca.Numerics;

namespace Wisca.Rescaling;

/// <summary>What happens to one tensor: a factor for each index along one axis.</summary>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Factors">One factor for each index.</param>
/// <param name="KeepLosses">True to saturate instead of overflowing, and to record the elements that do not survive the way back.</param>
/// <param name="Restored">Elements to set to given bits after scaling; null for none.</param>
internal sealed record TensorScale(int Axis, double[] Factors, bool KeepLosses = false, LostElements? Restored = null)
{
    public bool PowersOfTwo { get; } = Array.TrueForAll(Factors, Elements.IsPowerOfTwo);
}

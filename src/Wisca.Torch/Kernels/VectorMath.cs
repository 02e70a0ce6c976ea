using System.Numerics;
using System.Runtime.CompilerServices;

namespace Wisca.Torch.Kernels;

/// <summary>Functions of vectors of float32, to two units in the last place.</summary>
internal static class VectorMath
{
    private const float Largest = 88.37f, Smallest = -87.33f;

    /// <summary>e^x; what would overflow or be subnormal is held at the end of the range, and NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> x)
    {
        // By comparisons that NaN fails, so that it stays.
        x = Vector.ConditionalSelect(Vector.GreaterThan(x, new Vector<float>(Largest)), new Vector<float>(Largest), x);
        x = Vector.ConditionalSelect(Vector.LessThan(x, new Vector<float>(Smallest)), new Vector<float>(Smallest), x);

        // x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts: rounding by the constant whose last place is one.
        var shift = new Vector<float>(12582912f);
        var shifted = Vector.FusedMultiplyAdd(x, new Vector<float>(1.44269504f), shift);
        var n = shifted - shift;
        var r = Vector.FusedMultiplyAdd(n, new Vector<float>(-0.693145752f), x);
        r = Vector.FusedMultiplyAdd(n, new Vector<float>(-1.42860677e-6f), r);
        var p = Vector.FusedMultiplyAdd(r, new Vector<float>(1f / 720), new Vector<float>(1f / 120));
        p = Vector.FusedMultiplyAdd(p, r, new Vector<float>(1f / 24));
        p = Vector.FusedMultiplyAdd(p, r, new Vector<float>(1f / 6));
        p = Vector.FusedMultiplyAdd(p, r, new Vector<float>(0.5f));
        p = Vector.FusedMultiplyAdd(p, r, Vector<float>.One);
        p = Vector.FusedMultiplyAdd(p, r, Vector<float>.One);
        var power = Vector.ShiftLeft(Vector.AsVectorInt32(shifted), 23);
        return Vector.AsVectorSingle(Vector.AsVectorInt32(p) + power);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Sigmoid(Vector<float> x) => Vector<float>.One / (Vector<float>.One + Exp(-x));
}

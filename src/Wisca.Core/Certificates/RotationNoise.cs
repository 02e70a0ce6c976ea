using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>
/// How far rounding takes an element from what a rotation makes of the reference's. With p significand bits one rounding is off by at most
/// u = 2^-p of the number, evenly spread, so of a deviation of at most s = u / sqrt(3). A weight that was rounded in another basis before
/// has the deviation s |w| / sqrt(D), w its row; and the rotation itself, found by least squares from rows A' = A R + N that were rounded,
/// is off by R X with a skew X: in the basis of A^T A = diag(l) its elements have the variance s^2 / (l_i + l_j), so that an element of
/// w R X has at most the variance s^2 |w|^2 ((A'^T A')^-1)_jj.
/// </summary>
/// <param name="Unit">u.</param>
/// <param name="Smallest">The smallest normal number: below it, the unit no longer shrinks.</param>
/// <param name="Roundings">How often the weights may have been rounded.</param>
/// <param name="Spread">By what more the variance is than that of the roundings: 1 for nothing.</param>
internal readonly record struct RotationNoise(double Unit, double Smallest, int Roundings, double Spread = 1)
{
    /// <summary>So many deviations no element of a model's billions is from its mean by chance.</summary>
    public const double Deviations = 7;

    public static RotationNoise Of(Dtype dtype, Kinship kinship) =>

        // Float64 weights are as precise as the certificate's own arithmetic, whose sums of thousands of terms need room.
        new(Math.Max(Math.ScaleB(1, -dtype.SignificandBits()), 2e-14), Elements.MinNormal(dtype), kinship.FactorRoundings);

    /// <summary>s, of all roundings together.</summary>
    public double Deviation => Unit * Math.Sqrt(Roundings * Spread / 3);

    /// <summary>The largest difference that rounding explains.</summary>
    /// <param name="expected">The element.</param>
    /// <param name="gain">What multiplied it after it was read.</param>
    /// <param name="deviation">The deviation from all but its own rounding.</param>
    public double Allowed(double expected, double gain, double deviation) =>
        (Unit * Roundings * Math.Max(Math.Abs(expected), Smallest * Math.Max(1, Math.Abs(gain)))) + (Deviations * deviation);

    /// <summary>
    /// How far the multiple of a whole tensor may be from 1: it is known far better than any element. What is skew does not change it.
    /// </summary>
    /// <param name="dtype">The tensor's type.</param>
    /// <param name="variance">Of the multiple, for a deviation of one unit of every element relative to it.</param>
    public double AllowedDrift(Dtype dtype, double variance) =>
        (Deviations * Deviation * Math.Sqrt(variance)) + (4 * Roundings * Unit * Unit)
        + (dtype == Dtype.F64 ? 1e-12 : Math.ScaleB(1, -22));
}

namespace Wisca.Tests;

/// <summary>
/// How far two right computations of one number may lie apart. Processors add in another order, in vectors of another length, and with
/// multiplications and additions fused or not; each rounding on the way to a number may then fall otherwise.
/// </summary>
/// <remarks>
/// <para>
/// One rounding errs by at most half a unit of the last place: 2^-24 of the number in float32, 2^-9 in bfloat16, 2^-53 in float64. Of n
/// roundings as many go up as down, so their sum is about √n of that, of the largest number on the way. Four times as much is allowed:
/// no order of additions comes near it, and a mistake in a formula is a hundred times larger.
/// </para>
/// <para>
/// Where a test computes in float64, its numbers (logits, losses, gradients, norms, factors) are between 0.001 and 100 in size and come
/// out of fewer than 10,000 roundings: 4 * 100 * 100 * 2^-53 is 4e-12 for the largest of them, 4e-14 for those about 1. The absolute
/// tolerances from 1e-13 to 1e-9 in such tests hold on any processor for this reason, and those below in plain C#, whose operations round
/// alike everywhere. Code of Wisca.Core computes in float64 with vectors of a fixed length: it gives the same bits everywhere.
/// </para>
/// </remarks>
internal static class Rounding
{
    public const double Float32 = 1.0 / (1 << 24), BFloat16 = 1.0 / (1 << 9), Float64 = Float32 * Float32 / 32;

    /// <summary>The difference that is allowed, relative to the largest number on the way.</summary>
    /// <param name="unit">What one rounding errs by at most, relative: one of the constants here.</param>
    /// <param name="roundings">How many there are on the way to the number, the terms of its sums included.</param>
    public static double Of(double unit, int roundings) => 4 * Math.Sqrt(roundings) * unit;
}

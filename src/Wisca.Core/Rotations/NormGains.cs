using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Wisca.Rotations;

/// <summary>What the gains of norms allow, and what becomes of them, on disk as in training.</summary>
public static class NormGains
{
    // Below this, relative to the gains' mean, what is divided by a gain would lose digits.
    private const double Smallest = 1e-3;

    /// <summary>
    /// Gains that follow: g'_j^2 = sum over i of R_ij^2 g_i^2, with the sign of the channel that weighs most; any would be exact. Near the
    /// identity a channel keeps its gain.
    /// </summary>
    /// <param name="before">g, 1 included where it is added.</param>
    /// <param name="rotation">R, [n, n].</param>
    public static double[] Follow(double[] before, double[,] rotation)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(rotation);
        int n = before.Length;
        double[] after = new double[n];
        for (int row = 0; row < n; row++)
        {
            var (gain, at) = (new Vector<double>(before[row]), 0);
            var own = MemoryMarshal.CreateReadOnlySpan(ref rotation[row, 0], n);
            for (; at <= n - Vector<double>.Count; at += Vector<double>.Count)
            {
                var element = new Vector<double>(own[at..]);
                (new Vector<double>(after, at) + (element * element * gain * gain)).CopyTo(after, at);
            }

            for (; at < n; at++) after[at] += own[at] * own[at] * before[row] * before[row];
        }

        for (int column = 0; column < n; column++) after[column] = Math.Sqrt(after[column]);
        if (!before.Any(gain => gain < 0)) return after;
        for (int column = 0; column < n; column++)
        {
            int heaviest = 0;
            for (int row = 1; row < n; row++)
            {
                if (Math.Abs(rotation[row, column]) > Math.Abs(rotation[heaviest, column])) heaviest = row;
            }

            after[column] = Math.CopySign(after[column], before[heaviest]);
        }

        return after;
    }

    /// <summary>What is wrong with a gain that cannot be divided by; null where it can.</summary>
    /// <param name="values">Its values, 1 included where it is added.</param>
    public static string? TooSmall(double[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        double least = Smallest * values.Average(Math.Abs);
        int small = Array.FindIndex(values, value => !(Math.Abs(value) >= least));
        return small < 0
            ? null
            : string.Create(
                CultureInfo.InvariantCulture, $"is {values[small]:0.0e+00} at channel {small}, too near to zero to be divided by");
    }

    /// <summary>Why the gains do not allow a rotation; null where they do.</summary>
    /// <param name="space">The space.</param>
    /// <param name="gainOf">A gain's values, 1 included where it is added.</param>
    public static string? Obstacle(RotatedSpace space, Func<RotatedGain, double[]> gainOf)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(gainOf);
        foreach (var gain in space.Gains)
        {
            double[] values = gainOf(gain);
            if (gain.MustBeUniform && values.AsSpan().ContainsAnyExcept(values[0]))
                return $"gain '{gain.Tensor}' is not the same for all channels, and has nowhere to go: "
                    + "the output projection is tied to the embedding, or the norm writes into the residual stream";
            if (!gain.MustBeUniform && TooSmall(values) is { } small) return $"gain '{gain.Tensor}' {small}";
        }

        return null;
    }
}

using Wisca.Numerics;

namespace Wisca.Certificates;

/// <summary>A rotation that was found from the weights of two models.</summary>
/// <param name="Matrix">R, [n, n] row after row, orthogonal.</param>
/// <param name="Variances">((A'^T A')^-1)_jj of the rows that it was found from, each tensor's scaled to elements of mean square 1.</param>
/// <param name="Size">n.</param>
internal sealed record StreamBasis(double[] Matrix, double[] Variances, int Size)
{
    /// <summary>
    /// The rotation that takes rows A nearest to rows A' (orthogonal Procrustes): the orthogonal factor of A^T A'.
    /// </summary>
    /// <param name="moment">A^T A', [n, n].</param>
    /// <param name="size">n.</param>
    /// <returns>Null where the rows do not determine it.</returns>
    public static StreamBasis? Of(double[] moment, int size)
    {
        if (PolarFactor.Of(moment, size, out double[]? inverse) is not { } rotation) return null;

        // A^T A' = A^T A R, and so (A'^T A')^-1 = (A^T A')^-1 R.
        double[] variances = new double[size];
        for (int i = 0; i < size; i++)
        {
            for (int k = 0; k < size; k++) variances[i] += inverse![(i * size) + k] * rotation[(k * size) + i];
        }

        return Array.TrueForAll(variances, variance => variance > 0 && double.IsFinite(variance))
            ? new StreamBasis(rotation, variances, size)
            : null;
    }

    /// <summary>True where it is known so well that it adds no more to an element's error than one rounding does.</summary>
    public bool IsSharp => Spread <= 2;

    /// <summary>By what the variance of an element of a row that is turned is more than that of one rounding.</summary>
    public double Spread => 1 + (Size * Variances.Max());
}

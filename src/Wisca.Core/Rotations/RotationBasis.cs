using Wisca.Numerics;

namespace Wisca.Rotations;

/// <summary>Orthogonal matrices that lead into a basis which a covariance chooses.</summary>
internal static class RotationBasis
{
    /// <summary>
    /// The eigenvectors of a covariance as the columns of R, so that R^T C R is diagonal, in the order and with the signs that are nearest
    /// to the identity.
    /// </summary>
    /// <param name="covariance">C, symmetric.</param>
    /// <param name="keepsOnes">True for R 1 = 1: then the rest of C is diagonal.</param>
    public static double[,] Of(double[,] covariance, bool keepsOnes)
    {
        if (keepsOnes) return OrthogonalMatrix.KeepingOnes(Of(OrthogonalMatrix.BesideOnes(covariance), keepsOnes: false));
        var (_, vectors) = TridiagonalEigen.Of(covariance);
        int n = vectors.Length;
        double[,] rows = new double[n, n];
        for (int row = 0; row < n; row++) Buffer.BlockCopy(vectors[row], 0, rows, row * n * sizeof(double), n * sizeof(double));

        // Once more orthonormal: thousands of plane rotations leave some 1e-13.
        rows = OrthogonalMatrix.Orthonormal(rows);
        return Nearest(rows);
    }

    /// <summary>Puts vectors (rows) as columns where, and with the sign with which, they are nearest to unit vectors: the largest element
    /// of all first.</summary>
    private static double[,] Nearest(double[,] rows)
    {
        int n = rows.GetLength(0);
        double[] sizes = new double[n * n];
        int[] order = new int[n * n];
        for (int i = 0; i < sizes.Length; i++) (sizes[i], order[i]) = (-Math.Abs(rows[i / n, i % n]), i);
        Array.Sort(sizes, order);
        int[] placeOf = new int[n];
        Array.Fill(placeOf, -1);
        bool[] taken = new bool[n];
        foreach (int at in order)
        {
            var (vector, place) = (at / n, at % n);
            if (placeOf[vector] >= 0 || taken[place]) continue;
            (placeOf[vector], taken[place]) = (place, true);
        }

        double[,] columns = new double[n, n];
        for (int vector = 0; vector < n; vector++)
        {
            int place = placeOf[vector];
            double sign = rows[vector, place] < 0 ? -1 : 1;
            for (int k = 0; k < n; k++) columns[k, place] = sign * rows[vector, k];
        }

        return columns;
    }
}

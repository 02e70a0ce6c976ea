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
    /// <param name="threads">On how many threads; the result is the same to the bit.</param>
    public static double[,] Of(double[,] covariance, bool keepsOnes, int threads = 1)
    {
        if (keepsOnes) return OrthogonalMatrix.KeepingOnes(Of(OrthogonalMatrix.BesideOnes(covariance), keepsOnes: false, threads));
        var (_, vectors) = TridiagonalEigen.Of(covariance, threads);
        int n = vectors.Length;
        double[,] rows = new double[n, n];
        for (int row = 0; row < n; row++) Buffer.BlockCopy(vectors[row], 0, rows, row * n * sizeof(double), n * sizeof(double));

        // Once more orthonormal: thousands of plane rotations leave some 1e-13.
        return OrthogonalMatrix.NearestToIdentity(OrthogonalMatrix.Orthonormal(rows, threads));
    }
}

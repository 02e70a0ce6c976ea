namespace Wisca.Flatness;

/// <summary>Eigenvalues and eigenvectors of small symmetric matrices, by Jacobi's rotations: as exact as float64 allows.</summary>
internal static class SymmetricEigen
{
    /// <summary>Eigenvalues in ascending order, and the eigenvectors as columns in the same order.</summary>
    /// <param name="matrix">A symmetric matrix, [n, n].</param>
    public static (double[] Values, double[,] Vectors) Solve(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[,] a = (double[,])matrix.Clone(), vectors = new double[n, n];
        for (int i = 0; i < n; i++) vectors[i, i] = 1;
        bool rotated = true;
        while (rotated)
        {
            rotated = false;
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                {
                    // What is nothing beside the diagonal rotates by nothing.
                    if (!(Math.Abs(a[p, q]) > 1e-17 * (Math.Abs(a[p, p]) + Math.Abs(a[q, q])))) continue;
                    Rotate(a, vectors, p, q);
                    rotated = true;
                }
            }
        }

        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => a[i, i])];
        double[,] sorted = new double[n, n];
        for (int column = 0; column < n; column++)
        {
            for (int row = 0; row < n; row++) sorted[row, column] = vectors[row, order[column]];
        }

        return ([.. order.Select(i => a[i, i])], sorted);
    }

    /// <summary>Turns the plane of axes p and q so that a[p, q] becomes zero: the smaller of the two angles.</summary>
    private static void Rotate(double[,] a, double[,] vectors, int p, int q)
    {
        double half = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double tangent = Math.CopySign(1, half) / (Math.Abs(half) + double.Hypot(half, 1));
        double cosine = 1 / double.Hypot(tangent, 1), sine = tangent * cosine;
        for (int i = 0; i < a.GetLength(0); i++)
        {
            (a[i, p], a[i, q]) = ((cosine * a[i, p]) - (sine * a[i, q]), (sine * a[i, p]) + (cosine * a[i, q]));
            (vectors[i, p], vectors[i, q]) = ((cosine * vectors[i, p]) - (sine * vectors[i, q]), (sine * vectors[i, p]) + (cosine * vectors[i, q]));
        }

        for (int i = 0; i < a.GetLength(0); i++) (a[p, i], a[q, i]) = ((cosine * a[p, i]) - (sine * a[q, i]), (sine * a[p, i]) + (cosine * a[q, i]));
        a[p, q] = a[q, p] = 0;
    }
}

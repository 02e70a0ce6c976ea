namespace Wisca.Numerics;

/// <summary>
/// Eigenvalues and eigenvectors of small symmetric matrices by cyclic Jacobi rotations (Golub and Van Loan, "Matrix Computations", 8.5):
/// slow beside blocked methods, accurate for eigenvalues of very different size, and the same on every machine.
/// </summary>
public static class SymmetricEigen
{
    private const int MaxSweeps = 60;

    /// <summary>Decomposes M = V diag(values) V^T.</summary>
    /// <param name="matrix">A symmetric matrix, [n, n].</param>
    /// <returns>The values in ascending order, and V, whose columns are the vectors in the same order.</returns>
    public static (double[] Values, double[,] Vectors) Of(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[,] a = (double[,])matrix.Clone(), v = new double[n, n];
        for (int i = 0; i < n; i++) v[i, i] = 1;
        for (int sweep = 0; sweep < MaxSweeps; sweep++)
        {
            bool rotated = false;
            for (int p = 0; p < n; p++)
            {
                for (int q = p + 1; q < n; q++)
                {
                    if (Math.Abs(a[p, q]) <= 1e-17 * Math.Sqrt(Math.Abs(a[p, p] * a[q, q])) || a[p, q] == 0) continue;
                    rotated = true;
                    Rotate(a, v, p, q);
                }
            }

            if (!rotated) break;
        }

        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => a[i, i])];
        double[,] vectors = new double[n, n];
        for (int row = 0; row < n; row++)
        {
            for (int column = 0; column < n; column++) vectors[row, column] = v[row, order[column]];
        }

        return ([.. order.Select(i => a[i, i])], vectors);
    }

    /// <summary>V diag(f(values)) V^T.</summary>
    public static double[,] Compose(double[] values, double[,] vectors, Func<double, double> f)
    {
        int n = values.Length;
        double[] mapped = Array.ConvertAll(values, value => f(value));
        double[,] result = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = 0;
                for (int k = 0; k < n; k++) sum += vectors[i, k] * mapped[k] * vectors[j, k];
                result[i, j] = result[j, i] = sum;
            }
        }

        return result;
    }

    private static void Rotate(double[,] a, double[,] v, int p, int q)
    {
        double theta = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = theta >= 0 ? 1 / (theta + Math.Sqrt(1 + (theta * theta))) : 1 / (theta - Math.Sqrt(1 + (theta * theta)));
        double c = 1 / Math.Sqrt(1 + (t * t)), s = t * c;
        for (int k = 0; k < a.GetLength(0); k++) (a[k, p], a[k, q]) = ((c * a[k, p]) - (s * a[k, q]), (s * a[k, p]) + (c * a[k, q]));
        for (int k = 0; k < a.GetLength(0); k++) (a[p, k], a[q, k]) = ((c * a[p, k]) - (s * a[q, k]), (s * a[p, k]) + (c * a[q, k]));
        for (int k = 0; k < a.GetLength(0); k++) (v[k, p], v[k, q]) = ((c * v[k, p]) - (s * v[k, q]), (s * v[k, p]) + (c * v[k, q]));
        a[p, q] = a[q, p] = 0;
    }
}

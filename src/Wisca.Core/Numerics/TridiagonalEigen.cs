namespace Wisca.Numerics;

/// <summary>
/// Eigenvalues and eigenvectors of symmetric matrices by Householder's reduction to tridiagonal form and implicit QL steps (Golub and
/// Van Loan, "Matrix Computations", 8.3; Bowdler, Martin, Reinsch and Wilkinson, 1968): some 6 n^3 operations, accurate relative to the
/// largest eigenvalue. <see cref="SymmetricEigen"/> is slower and sees small ones better.
/// </summary>
public static class TridiagonalEigen
{
    private const int MaxSteps = 60;

    /// <summary>Decomposes M = V^T diag(values) V.</summary>
    /// <param name="matrix">A symmetric matrix, [n, n].</param>
    /// <returns>The values in ascending order, and for each its vector, the rows of V.</returns>
    public static (double[] Values, double[][] Vectors) Of(double[,] matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        int n = matrix.GetLength(0);
        double[][] a = Rows(matrix);
        double[] diagonal = new double[n], beside = new double[n];
        double[][] reflections = Reduce(a, diagonal, beside);
        double[][] vectors = Transposed(Product(reflections, n));
        Diagonalise(diagonal, beside, vectors);
        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => diagonal[i])];
        return ([.. order.Select(i => diagonal[i])], [.. order.Select(i => vectors[i])]);
    }

    /// <summary>Brings A to tridiagonal form by reflections I - 2 v v^T, which it returns; v of step k begins at index k + 1.</summary>
    private static double[][] Reduce(double[][] a, double[] diagonal, double[] beside)
    {
        int n = a.Length;
        double[][] reflections = new double[Math.Max(0, n - 1)][];
        double[] product = new double[n];
        for (int k = 0; k < n; k++)
        {
            diagonal[k] = a[k][k];
            if (k == n - 1) break;
            int rest = n - k - 1;
            double[] v = a[k].AsSpan(k + 1).ToArray();
            double largest = v.Max(Math.Abs);
            reflections[k] = [];
            if (largest == 0) continue;
            double length = largest * Math.Sqrt(v.Sum(value => value / largest * (value / largest)));
            double alpha = v[0] > 0 ? -length : length;
            beside[k] = alpha;
            v[0] -= alpha;
            largest = v.Max(Math.Abs);
            if (largest == 0) continue;
            length = largest * Math.Sqrt(v.Sum(value => value / largest * (value / largest)));
            for (int i = 0; i < rest; i++) v[i] /= length;
            reflections[k] = v;

            // A - v w^T - w v^T with w = 2 (A v) - 2 (v^T A v) v.
            var w = product.AsSpan(0, rest);
            double form = 0;
            for (int i = 0; i < rest; i++)
            {
                w[i] = Dot(a[k + 1 + i].AsSpan(k + 1), v);
                form += w[i] * v[i];
            }

            for (int i = 0; i < rest; i++) w[i] = 2 * (w[i] - (form * v[i]));
            for (int i = 0; i < rest; i++)
            {
                var row = a[k + 1 + i].AsSpan(k + 1);
                MatrixProduct.AddMultiple(row, w, -v[i]);
                MatrixProduct.AddMultiple(row, v, -w[i]);
            }
        }

        return reflections;
    }

    private static double[][] Product(double[][] reflections, int n)
    {
        double[][] q = [.. Enumerable.Range(0, n).Select(_ => new double[n])];
        for (int i = 0; i < n; i++) q[i][i] = 1;
        double[] sum = new double[n];
        for (int k = reflections.Length - 1; k >= 0; k--)
        {
            double[] v = reflections[k];
            if (v.Length == 0) continue;
            var columns = sum.AsSpan(k + 1);
            columns.Clear();
            for (int i = 0; i < v.Length; i++) MatrixProduct.AddMultiple(columns, q[k + 1 + i].AsSpan(k + 1), v[i]);
            for (int i = 0; i < v.Length; i++) MatrixProduct.AddMultiple(q[k + 1 + i].AsSpan(k + 1), columns, -2 * v[i]);
        }

        return q;
    }

    private static void Diagonalise(double[] d, double[] e, double[][] vectors)
    {
        int n = d.Length;
        for (int first = 0; first < n; first++)
        {
            for (int step = 0; ; step++)
            {
                int last = first;
                while (last < n - 1 && Math.Abs(e[last]) > 1e-16 * (Math.Abs(d[last]) + Math.Abs(d[last + 1]))) last++;
                if (last == first) break;
                if (step == MaxSteps)
                    throw new ArithmeticException("the eigenvalues of a matrix do not converge: it holds NaN or infinity");
                double g = (d[first + 1] - d[first]) / (2 * e[first]), r = Hypotenuse(g, 1);
                g = d[last] - d[first] + (e[first] / (g + (g < 0 ? -r : r)));
                double sine = 1, cosine = 1, shift = 0;
                int i = last - 1;
                for (; i >= first; i--)
                {
                    double f = sine * e[i], b = cosine * e[i];
                    e[i + 1] = r = Hypotenuse(f, g);
                    if (r == 0)
                    {
                        d[i + 1] -= shift;
                        e[last] = 0;
                        break;
                    }

                    sine = f / r;
                    cosine = g / r;
                    g = d[i + 1] - shift;
                    r = ((d[i] - g) * sine) + (2 * cosine * b);
                    shift = sine * r;
                    d[i + 1] = g + shift;
                    g = (cosine * r) - b;
                    Rotate(vectors[i], vectors[i + 1], cosine, sine);
                }

                if (r == 0 && i >= first) continue;
                d[first] -= shift;
                e[first] = g;
                e[last] = 0;
            }
        }
    }

    private static void Rotate(Span<double> x, Span<double> y, double cosine, double sine)
    {
        for (int k = 0; k < x.Length; k++) (x[k], y[k]) = ((cosine * x[k]) - (sine * y[k]), (sine * x[k]) + (cosine * y[k]));
    }

    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double even = 0, odd = 0;
        int i = 0;
        for (; i + 1 < x.Length; i += 2)
        {
            even += x[i] * y[i];
            odd += x[i + 1] * y[i + 1];
        }

        return i < x.Length ? even + odd + (x[i] * y[i]) : even + odd;
    }

    private static double Hypotenuse(double x, double y) => double.Hypot(x, y);

    private static double[][] Rows(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[][] rows = new double[n][];
        for (int row = 0; row < n; row++)
        {
            rows[row] = new double[n];
            Buffer.BlockCopy(matrix, row * n * sizeof(double), rows[row], 0, n * sizeof(double));
        }

        return rows;
    }

    private static double[][] Transposed(double[][] rows) =>
        [.. Enumerable.Range(0, rows.Length).Select(column => Array.ConvertAll(rows, row => row[column]))];
}

using Wisca.Numerics;

namespace Wisca.Checkpoints;

/// <summary>
/// Largest singular values by the Lanczos method on A^T A in float64, every new vector made orthogonal to all before it (Golub and Van
/// Loan, "Matrix Computations", 10.3). It looks for the best combination of what power iteration would pass through, so it needs far fewer
/// passes over the matrix, and two nearly equal singular values do not stop it.
/// The matrix is read from the file each time and never held decoded.
/// </summary>
internal static class SpectralNorm
{
    private const int MaxSteps = 200;

    // Of the residual; the error of the eigenvalue is its square over the gap to the next one.
    private const double Tolerance = 1e-8;

    /// <summary>One norm for each group of indices along the view's axis;
    /// index i belongs to groupOfIndex[i], or to none if that is negative.</summary>
    public static double[] Of(MatrixView matrix, int[] groupOfIndex, int groups) =>
        matrix.ByRow ? OfRows(matrix, groupOfIndex, groups) : OfColumns(matrix, groupOfIndex, groups);

    private static double[] OfRows(MatrixView matrix, int[] groupOfIndex, int groups)
    {
        int[] oneGroup = new int[matrix.Columns];
        double[] decoded = new double[matrix.Columns], norms = new double[groups];
        var rows = Enumerable.Range(0, groupOfIndex.Length).ToLookup(index => groupOfIndex[index]);
        using var reader = new RowReader(matrix);
        for (int group = 0; group < groups; group++)
        {
            norms[group] = Lanczos(oneGroup, 1, (x, product) =>
            {
                foreach (int row in rows[group])
                {
                    reader.Decode(row, decoded);
                    double dot = 0;
                    for (int i = 0; i < x.Length; i++) dot += decoded[i] * x[i];
                    for (int i = 0; i < x.Length; i++) product[i] += dot * decoded[i];
                }
            })[0];
        }

        return norms;
    }

    /// <summary>All groups at once, since their columns share the rows.</summary>
    private static double[] OfColumns(MatrixView matrix, int[] groupOfIndex, int groups)
    {
        double[] decoded = new double[matrix.Columns], dots = new double[groups];
        using var reader = new RowReader(matrix);
        return Lanczos(groupOfIndex, groups, (x, product) =>
        {
            for (int row = 0; row < matrix.Rows; row++)
            {
                reader.Decode(row, decoded);
                Dots(groupOfIndex, decoded, x, dots);
                AddMultiples(groupOfIndex, dots, decoded, product);
            }
        });
    }

    /// <summary>The roots of the largest eigenvalues of the diagonal blocks of A^T A, each block a group of coordinates.</summary>
    private static double[] Lanczos(int[] groupOf, int groups, Action<double[], double[]> addProduct)
    {
        double[] largest = new double[groups], dots = new double[groups], lengths = new double[groups];
        var diagonals = Enumerable.Range(0, groups).Select(_ => new List<double>()).ToArray();
        var besides = Enumerable.Range(0, groups).Select(_ => new List<double>()).ToArray();
        var basis = new List<double[]>();
        double[] next = new double[groupOf.Length];
        ulong state = 0x9E37_79B9_7F4A_7C15;
        for (int i = 0; i < next.Length; i++) next[i] = ProbeGenerator.Normal(ref state);
        Dots(groupOf, next, next, lengths);
        bool[] done = new bool[groups];
        while (basis.Count < MaxSteps && Array.Exists(done, isDone => !isDone))
        {
            double[] x = new double[next.Length];
            for (int i = 0; i < x.Length; i++)
            {
                if (groupOf[i] >= 0 && !done[groupOf[i]]) x[i] = next[i] / Math.Sqrt(lengths[groupOf[i]]);
            }

            basis.Add(x);
            Array.Clear(next);
            addProduct(x, next);
            Dots(groupOf, next, x, dots);
            for (int group = 0; group < groups; group++) diagonals[group].Add(dots[group]);

            // Twice is enough to be orthogonal to rounding.
            for (int pass = 0; pass < 2; pass++)
            {
                foreach (double[] earlier in basis)
                {
                    Dots(groupOf, next, earlier, dots);
                    for (int group = 0; group < groups; group++) dots[group] = -dots[group];
                    AddMultiples(groupOf, dots, earlier, next);
                }
            }

            Dots(groupOf, next, next, lengths);
            for (int group = 0; group < groups; group++)
            {
                if (done[group]) continue;
                double beside = Math.Sqrt(lengths[group]);
                largest[group] = LargestEigenvalue(diagonals[group], besides[group], out double last);
                done[group] = beside * last <= Tolerance * largest[group];
                besides[group].Add(beside);
            }
        }

        return Array.ConvertAll(largest, eigenvalue => Math.Sqrt(Math.Max(0, eigenvalue)));
    }

    /// <summary>The largest eigenvalue of a symmetric tridiagonal matrix, by bisection,
    /// and the last component of its unit eigenvector.</summary>
    private static double LargestEigenvalue(List<double> diagonal, List<double> beside, out double last)
    {
        double low = diagonal.Max(), high = low + (2 * beside.DefaultIfEmpty(0).Max());
        for (double middle = low + ((high - low) / 2); middle > low && middle < high; middle = low + ((high - low) / 2))
        {
            if (IsAbove(middle)) high = middle;
            else low = middle;
        }

        // The eigenvector by its three-term recurrence, which is stable above the eigenvalues of all leading blocks.
        double previous = 0, current = 1, squares = 1;
        for (int i = 0; i < beside.Count; i++)
        {
            (previous, current) = (current, (((high - diagonal[i]) * current) - (i > 0 ? beside[i - 1] * previous : 0)) / beside[i]);
            squares += current * current;
        }

        last = Math.Abs(current) / Math.Sqrt(squares);
        return high;

        // True where every pivot of the shifted matrix is positive.
        bool IsAbove(double shift)
        {
            double pivot = shift - diagonal[0];
            for (int i = 1; i < diagonal.Count && pivot > 0; i++) pivot = shift - diagonal[i] - (beside[i - 1] * beside[i - 1] / pivot);
            return pivot > 0;
        }
    }

    private static void Dots(int[] groupOf, double[] a, double[] b, double[] dots)
    {
        Array.Clear(dots);
        for (int i = 0; i < a.Length; i++)
        {
            if (groupOf[i] >= 0) dots[groupOf[i]] += a[i] * b[i];
        }
    }

    private static void AddMultiples(int[] groupOf, double[] factors, double[] source, double[] target)
    {
        for (int i = 0; i < source.Length; i++)
        {
            if (groupOf[i] >= 0) target[i] += factors[groupOf[i]] * source[i];
        }
    }
}

namespace Wisca.Numerics;

/// <summary>
/// Largest singular values by power iteration on A^T A in float64: x -> A^T A x, normalised; sigma^2 is the Rayleigh quotient, whose
/// error is of second order in the vector's. The matrix is read from the mapped file each time and never held decoded.
/// </summary>
internal static class SpectralNorm
{
    private const int MaxIterations = 500;
    private const double Tolerance = 1e-12;

    /// <summary>One norm for each group of indices along the view's axis; index i belongs to groupOfIndex[i], or to none if that is negative.</summary>
    public static double[] Of(MatrixView matrix, int[] groupOfIndex, int groups) =>
        matrix.ByRow ? OfRows(matrix, groupOfIndex, groups) : OfColumns(matrix, groupOfIndex, groups);

    private static double[] OfRows(MatrixView matrix, int[] groupOfIndex, int groups)
    {
        var rows = new List<int>[groups];
        for (int group = 0; group < groups; group++) rows[group] = [];
        for (int row = 0; row < groupOfIndex.Length; row++)
        {
            if (groupOfIndex[row] >= 0) rows[groupOfIndex[row]].Add(row);
        }

        double[] norms = new double[groups];
        double[] decoded = new double[matrix.Columns], next = new double[matrix.Columns], x = new double[matrix.Columns];
        for (int group = 0; group < groups; group++)
        {
            Start(x);
            for (int iteration = 0; iteration < MaxIterations; iteration++)
            {
                Array.Clear(next);
                foreach (int row in rows[group])
                {
                    Elements.Decode(matrix.Dtype, matrix.Row(row), decoded);
                    AddMultiple(next, decoded, Dot(decoded, x));
                }

                double norm = Math.Sqrt(Math.Sqrt(Dot(next, next)));
                bool converged = Math.Abs(norm - norms[group]) <= Tolerance * norm;
                norms[group] = norm;
                if (converged) break;
                Normalise(next, x);
            }
        }

        return norms;
    }

    /// <summary>All groups at once, since their columns share the rows.</summary>
    private static double[] OfColumns(MatrixView matrix, int[] groupOfIndex, int groups)
    {
        double[] norms = new double[groups], dots = new double[groups], scale = new double[groups];
        double[] decoded = new double[matrix.Columns], next = new double[matrix.Columns], x = new double[matrix.Columns];
        Start(x);
        Rescale(x, x);
        bool converged = false;
        for (int iteration = 0; iteration < MaxIterations && !converged; iteration++)
        {
            Array.Clear(next);
            for (int row = 0; row < matrix.Rows; row++)
            {
                Elements.Decode(matrix.Dtype, matrix.Row(row), decoded);
                Array.Clear(dots);
                for (int column = 0; column < decoded.Length; column++)
                {
                    if (groupOfIndex[column] >= 0) dots[groupOfIndex[column]] += decoded[column] * x[column];
                }

                for (int column = 0; column < decoded.Length; column++)
                {
                    if (groupOfIndex[column] >= 0) next[column] += decoded[column] * dots[groupOfIndex[column]];
                }
            }

            Rescale(next, x);
            converged = true;
            for (int group = 0; group < groups; group++)
            {
                double norm = Math.Sqrt(scale[group]);
                converged &= Math.Abs(norm - norms[group]) <= Tolerance * norm;
                norms[group] = norm;
            }
        }

        return norms;

        // Leaves each group's length in scale.
        void Rescale(double[] from, double[] to)
        {
            Array.Clear(scale);
            for (int column = 0; column < from.Length; column++)
            {
                if (groupOfIndex[column] >= 0) scale[groupOfIndex[column]] += from[column] * from[column];
            }

            for (int group = 0; group < groups; group++) scale[group] = Math.Sqrt(scale[group]);
            for (int column = 0; column < from.Length; column++)
            {
                if (groupOfIndex[column] >= 0 && scale[groupOfIndex[column]] > 0) to[column] = from[column] / scale[groupOfIndex[column]];
            }
        }
    }

    /// <summary>A start with a component along every direction that is likely to matter; the same each time.</summary>
    private static void Start(double[] x)
    {
        ulong state = 0x9E37_79B9_7F4A_7C15;
        for (int i = 0; i < x.Length; i++) x[i] = ProbeGenerator.Normal(ref state);
        Normalise(x, x);
    }

    private static void Normalise(double[] from, double[] to)
    {
        double length = Math.Sqrt(Dot(from, from));
        if (length == 0) return;
        for (int i = 0; i < from.Length; i++) to[i] = from[i] / length;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static void AddMultiple(double[] target, double[] source, double factor)
    {
        for (int i = 0; i < target.Length; i++) target[i] += factor * source[i];
    }
}

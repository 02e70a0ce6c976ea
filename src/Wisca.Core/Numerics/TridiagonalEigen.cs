using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Wisca.Numerics;

/// <summary>
/// Eigenvalues and eigenvectors of symmetric matrices by Householder's reduction to tridiagonal form and implicit QL steps (Golub and
/// Van Loan, "Matrix Computations", 8.3; Bowdler, Martin, Reinsch and Wilkinson, 1968): some 6 n^3 operations, accurate relative to the
/// largest eigenvalue, and to the bit the same on any number of threads. <see cref="SymmetricEigen"/> is slower and sees small ones better.
/// </summary>
public static class TridiagonalEigen
{
    private const int MaxSteps = 60;

    // Reflections that are applied as one product; plane rotations that are kept before they are, to columns that fit a core's cache.
    private const int ReflectionsAtOnce = 32, RotationsAtOnce = 1 << 20, ColumnsAtOnce = 32;

    // Of a matrix: fewer elements are not worth handing out.
    private const int SmallestParallel = 1 << 16;

    /// <summary>Decomposes M = V^T diag(values) V.</summary>
    /// <param name="matrix">A symmetric matrix, [n, n].</param>
    /// <param name="threads">On how many threads.</param>
    /// <returns>The values in ascending order, and for each its vector, the rows of V.</returns>
    public static (double[] Values, double[][] Vectors) Of(double[,] matrix, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        int n = matrix.GetLength(0);
        double[] a = new double[n * n], diagonal = new double[n], beside = new double[n];
        Buffer.BlockCopy(matrix, 0, a, 0, a.Length * sizeof(double));
        double[][] reflections = Reduce(a, n, diagonal, beside, threads);
        double[] vectors = a;
        Transpose(Product(reflections, n, threads), vectors, n);
        Diagonalise(diagonal, beside, vectors, threads);
        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => diagonal[i])];
        return ([.. order.Select(i => diagonal[i])], [.. order.Select(i => vectors.AsSpan(i * n, n).ToArray())]);
    }

    /// <summary>
    /// Brings A to tridiagonal form by reflections I - 2 v v^T, which it returns; v of step k begins at index k + 1. What it makes of A,
    /// A - v w^T - w v^T with w = 2 (A v) - 2 (v^T A v) v, is done when the next one reads it: each row goes by once.
    /// </summary>
    private static double[][] Reduce(double[] a, int n, double[] diagonal, double[] beside, int threads)
    {
        double[][] reflections = new double[Math.Max(0, n - 1)][];
        double[] v = new double[n], w = new double[n], next = new double[n], products = new double[n];
        for (int k = 0; k < n; k++)
        {
            // Of v and w index k counts, as of all that is left of A.
            AddBoth(a.AsSpan((k * n) + k, n - k), w.AsSpan(k), -v[k], v.AsSpan(k), -w[k]);
            diagonal[k] = a[(k * n) + k];
            if (k == n - 1) break;
            var (reflection, alpha) = Reflection(a.AsSpan((k * n) + k + 1, n - k - 1));
            (reflections[k], beside[k]) = (reflection, alpha);
            Array.Clear(next);
            reflection.CopyTo(next, k + 1);
            int first = k + 1, length = n - first;
            if (threads == 1 || (long)length * length < SmallestParallel) Rows(0, 1);
            else Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, part => Rows(part, threads));
            double form = Dot(products.AsSpan(first), next.AsSpan(first));
            for (int i = first; i < n; i++) w[i] = 2 * (products[i] - (form * next[i]));
            (v, next) = (next, v);

            void Rows(int part, int parts)
            {
                for (int i = first + (int)((long)length * part / parts); i < first + (int)((long)length * (part + 1) / parts); i++)
                {
                    var row = a.AsSpan((i * n) + first, length);
                    AddBoth(row, w.AsSpan(first), -v[i], v.AsSpan(first), -w[i]);
                    products[i] = Dot(row, next.AsSpan(first));
                }
            }
        }

        return reflections;
    }

    /// <summary>The v of unit length with (I - 2 v v^T) x = alpha e_1; none for a vector of zeros.</summary>
    private static (double[] V, double Alpha) Reflection(ReadOnlySpan<double> x)
    {
        double[] v = x.ToArray();
        double length = Length(v);
        if (length == 0) return ([], 0);
        double alpha = v[0] > 0 ? -length : length;
        v[0] -= alpha;
        length = Length(v);
        if (length == 0) return ([], alpha);
        for (int i = 0; i < v.Length; i++) v[i] /= length;
        return (v, alpha);
    }

    private static double Length(double[] v)
    {
        double largest = 0, sum = 0;
        foreach (double value in v) largest = Math.Max(largest, Math.Abs(value));
        if (largest == 0) return 0;
        foreach (double value in v) sum += value / largest * (value / largest);
        return largest * Math.Sqrt(sum);
    }

    /// <summary>
    /// The product of the reflections, from the last to the first and many at once: H_1 .. H_b = I - V T V^T with an upper triangular T
    /// (Schreiber and Van Loan, "A storage-efficient WY representation", 1989).
    /// </summary>
    private static double[] Product(double[][] reflections, int n, int threads)
    {
        double[] q = new double[n * n], columns = new double[n * ReflectionsAtOnce], rows = new double[n * ReflectionsAtOnce],
            first = new double[n * ReflectionsAtOnce], second = new double[n * ReflectionsAtOnce];
        for (int i = 0; i < n; i++) q[i * (n + 1)] = 1;
        int blocks = (reflections.Length + ReflectionsAtOnce - 1) / ReflectionsAtOnce;
        for (int block = blocks - 1; block >= 0; block--)
        {
            int from = block * ReflectionsAtOnce, count = Math.Min(ReflectionsAtOnce, reflections.Length - from), size = n - from - 1;
            foreach (double[] buffer in (double[][])[columns, rows, first, second]) Array.Clear(buffer);
            for (int j = 0; j < count; j++)
            {
                double[] v = reflections[from + j];
                for (int i = 0; i < v.Length; i++) rows[(j * size) + j + i] = columns[((j + i) * count) + j] = v[i];
            }

            double[] t = Triangle(rows, count, size);
            var part = new MatrixPart(q, ((from + 1) * n) + from + 1, n, size, size);
            var (x, y) = (new MatrixPart(first, count, size), new MatrixPart(second, count, size));
            MatrixProduct.Add(new MatrixPart(rows, count, size), part, x, threads);
            MatrixProduct.Add(new MatrixPart(t, count, count), x, y, threads);
            MatrixProduct.Add(new MatrixPart(columns, size, count), y, part, threads);
        }

        return q;
    }

    /// <summary>-T.</summary>
    private static double[] Triangle(double[] rows, int count, int size)
    {
        double[] t = new double[count * count], products = new double[count];
        for (int j = 0; j < count; j++)
        {
            var v = rows.AsSpan(j * size, size);
            for (int i = 0; i < j; i++) products[i] = Dot(rows.AsSpan(i * size, size), v);
            for (int i = 0; i < j; i++)
            {
                double sum = 0;
                for (int l = i; l < j; l++) sum += t[(i * count) + l] * products[l];
                t[(i * count) + j] = -2 * sum;
            }

            t[(j * count) + j] = 2;
        }

        for (int i = 0; i < t.Length; i++) t[i] = -t[i];
        return t;
    }

    private static void Diagonalise(double[] d, double[] e, double[] vectors, int threads)
    {
        int n = d.Length;
        var rotations = new List<(int Row, double Cosine, double Sine)>();
        for (int first = 0; first < n; first++)
        {
            for (int step = 0; ; step++)
            {
                int last = first;
                while (last < n - 1 && Math.Abs(e[last]) > 1e-16 * (Math.Abs(d[last]) + Math.Abs(d[last + 1]))) last++;
                if (last == first) break;
                if (step == MaxSteps)
                    throw new ArithmeticException("the eigenvalues of a matrix do not converge: it holds NaN or infinity");
                double g = (d[first + 1] - d[first]) / (2 * e[first]), r = double.Hypot(g, 1);
                g = d[last] - d[first] + (e[first] / (g + (g < 0 ? -r : r)));
                double sine = 1, cosine = 1, shift = 0;
                int i = last - 1;
                for (; i >= first; i--)
                {
                    double f = sine * e[i], b = cosine * e[i];
                    e[i + 1] = r = double.Hypot(f, g);
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
                    rotations.Add((i, cosine, sine));
                }

                if (rotations.Count >= RotationsAtOnce) Rotate(vectors, n, rotations, threads);
                if (r == 0 && i >= first) continue;
                d[first] -= shift;
                e[first] = g;
                e[last] = 0;
            }
        }

        Rotate(vectors, n, rotations, threads);
    }

    /// <summary>Applies plane rotations of neighbouring rows, in order; columns do not know of each other.</summary>
    private static void Rotate(double[] vectors, int n, List<(int Row, double Cosine, double Sine)> rotations, int threads)
    {
        int blocks = (n + ColumnsAtOnce - 1) / ColumnsAtOnce;
        if (threads == 1) for (int block = 0; block < blocks; block++) Columns(block);
        else Parallel.For(0, blocks, new ParallelOptions { MaxDegreeOfParallelism = threads }, Columns);
        rotations.Clear();

        void Columns(int block)
        {
            int column = block * ColumnsAtOnce, count = Math.Min(ColumnsAtOnce, n - column);
            foreach (var (row, cosine, sine) in CollectionsMarshal.AsSpan(rotations))
            {
                int at = (row * n) + column;
                Rotate(vectors.AsSpan(at, count), vectors.AsSpan(at + n, count), cosine, sine);
            }
        }
    }

    private static void Rotate(Span<double> x, Span<double> y, double cosine, double sine)
    {
        ref double left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        var (c, s) = (Vector256.Create(cosine), Vector256.Create(sine));
        int k = 0;
        for (; k <= x.Length - 4; k += 4)
        {
            Vector256<double> a = Vector256.LoadUnsafe(ref left, (nuint)k), b = Vector256.LoadUnsafe(ref right, (nuint)k);
            ((c * a) - (s * b)).StoreUnsafe(ref left, (nuint)k);
            ((s * a) + (c * b)).StoreUnsafe(ref right, (nuint)k);
        }

        for (; k < x.Length; k++) (x[k], y[k]) = ((cosine * x[k]) - (sine * y[k]), (sine * x[k]) + (cosine * y[k]));
    }

    /// <summary>target += first * x + second * y.</summary>
    private static void AddBoth(Span<double> target, ReadOnlySpan<double> x, double first, ReadOnlySpan<double> y, double second)
    {
        ref double to = ref MemoryMarshal.GetReference(target), left = ref MemoryMarshal.GetReference(x),
            right = ref MemoryMarshal.GetReference(y);
        var (f, s) = (Vector256.Create(first), Vector256.Create(second));
        int i = 0;
        for (; i <= target.Length - 4; i += 4)
        {
            (Vector256.LoadUnsafe(ref to, (nuint)i) + (f * Vector256.LoadUnsafe(ref left, (nuint)i))
                + (s * Vector256.LoadUnsafe(ref right, (nuint)i))).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < target.Length; i++) target[i] = target[i] + (first * x[i]) + (second * y[i]);
    }

    /// <summary>Sixteen sums side by side, whatever the width of vectors.</summary>
    internal static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        ref double left = ref MemoryMarshal.GetReference(x), right = ref MemoryMarshal.GetReference(y);
        Vector256<double> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i <= x.Length - 16; i += 16)
        {
            sum0 += Vector256.LoadUnsafe(ref left, (nuint)i) * Vector256.LoadUnsafe(ref right, (nuint)i);
            sum1 += Vector256.LoadUnsafe(ref left, (nuint)i + 4) * Vector256.LoadUnsafe(ref right, (nuint)i + 4);
            sum2 += Vector256.LoadUnsafe(ref left, (nuint)i + 8) * Vector256.LoadUnsafe(ref right, (nuint)i + 8);
            sum3 += Vector256.LoadUnsafe(ref left, (nuint)i + 12) * Vector256.LoadUnsafe(ref right, (nuint)i + 12);
        }

        var all = (sum0 + sum1) + (sum2 + sum3);
        double sum = (all[0] + all[1]) + (all[2] + all[3]);
        for (; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    private static void Transpose(double[] from, double[] to, int n)
    {
        for (int row = 0; row < n; row++)
        {
            for (int column = 0; column < n; column++) to[(column * n) + row] = from[(row * n) + column];
        }
    }
}

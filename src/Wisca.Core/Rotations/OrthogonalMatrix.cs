using Wisca.Numerics;

namespace Wisca.Rotations;

/// <summary>Orthogonal matrices in float64, the same on every machine for the same seed.</summary>
public static class OrthogonalMatrix
{
    private const int RowsAtOnce = 64;

    /// <summary>The identity.</summary>
    /// <param name="size">Its size.</param>
    public static double[,] Identity(int size)
    {
        double[,] identity = new double[size, size];
        for (int i = 0; i < size; i++) identity[i, i] = 1;
        return identity;
    }

    /// <summary>
    /// A matrix drawn evenly from all orthogonal ones: Q of the QR decomposition of a normal matrix, with the signs that make the diagonal
    /// of R positive (Mezzadri, "How to generate random matrices from the classical compact groups", 2007).
    /// </summary>
    /// <param name="size">Its size.</param>
    /// <param name="seed">What it depends on.</param>
    /// <param name="keepsOnes">True for one that keeps the vector of ones.</param>
    /// <param name="threads">On how many threads; the result is the same to the bit.</param>
    public static double[,] Random(int size, ulong seed, bool keepsOnes = false, int threads = 1)
    {
        if (keepsOnes) return KeepingOnes(Random(size - 1, seed, threads: threads));
        double[,] matrix = new double[size, size];
        ulong state = seed;
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) matrix[row, column] = ProbeGenerator.Normal(ref state);
        }

        return Orthonormal(matrix, threads);
    }

    /// <summary>
    /// A Hadamard matrix over sqrt(n) with rows of random signs, which spreads what lies in one channel over all of them evenly (QuaRot,
    /// arXiv 2404.00456).
    /// </summary>
    /// <param name="size">Its size: a power of two, or one times 12, 20, 28, 36, 52, 156, 172 and others that have such a matrix.</param>
    /// <param name="seed">What the signs depend on.</param>
    /// <param name="keepsOnes">True where the vector of ones must be kept, which no such matrix does.</param>
    /// <exception cref="WiscaException">No Hadamard matrix of this size is known, or the vector of ones must be kept.</exception>
    public static double[,] Hadamard(int size, ulong seed, bool keepsOnes = false)
    {
        if (keepsOnes)
            throw new WiscaException(
                "a Hadamard rotation does not keep the vector of ones, as norms that take the mean away (LayerNorm) need it",
                "choose random, or a basis of the weights");
        var signs = HadamardMatrix.Of(size)
            ?? throw new WiscaException(
                $"no Hadamard matrix of size {size} is known here", "choose random, or a basis of the weights");
        double[,] matrix = new double[size, size];
        double scale = 1 / Math.Sqrt(size);
        ulong state = seed;
        for (int row = 0; row < size; row++)
        {
            double sign = (ProbeGenerator.Next(ref state) >> 63) == 0 ? scale : -scale;
            for (int column = 0; column < size; column++) matrix[row, column] = sign * signs[row, column];
        }

        return matrix;
    }

    /// <summary>
    /// The orthogonal matrix of size n that keeps the vector of ones and does to its complement what one of size n - 1 does: H diag(1, R) H
    /// with the reflection H that takes the first unit vector to ones / sqrt(n).
    /// </summary>
    public static double[,] KeepingOnes(double[,] complement)
    {
        ArgumentNullException.ThrowIfNull(complement);
        int size = complement.GetLength(0) + 1;
        double[,] matrix = Identity(size);
        for (int row = 1; row < size; row++)
        {
            for (int column = 1; column < size; column++) matrix[row, column] = complement[row - 1, column - 1];
        }

        Reflect(matrix);
        return matrix;
    }

    /// <summary>What a symmetric matrix of size n is on the complement of the vector of ones, in the basis of
    /// <see cref="KeepingOnes"/>.</summary>
    public static double[,] BesideOnes(double[,] symmetric)
    {
        ArgumentNullException.ThrowIfNull(symmetric);
        int size = symmetric.GetLength(0);
        double[,] matrix = (double[,])symmetric.Clone(), rest = new double[size - 1, size - 1];
        Reflect(matrix);
        for (int row = 1; row < size; row++)
        {
            for (int column = 1; column < size; column++) rest[row - 1, column - 1] = matrix[row, column];
        }

        return rest;
    }

    /// <summary>H M H with H = I - 2 u u^T / u.u and u = e_1 - ones / sqrt(n).</summary>
    private static void Reflect(double[,] matrix)
    {
        int size = matrix.GetLength(0);
        double[] u = new double[size], products = new double[size];
        Array.Fill(u, -1 / Math.Sqrt(size));
        u[0] += 1;
        double square = u.Sum(value => value * value);
        if (square == 0) return;
        for (int row = 0; row < size; row++)
        {
            double product = 0;
            for (int k = 0; k < size; k++) product += matrix[row, k] * u[k];
            for (int k = 0; k < size; k++) matrix[row, k] -= 2 * product * u[k] / square;
        }

        for (int k = 0; k < size; k++)
        {
            for (int column = 0; column < size; column++) products[column] += u[k] * matrix[k, column];
        }

        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) matrix[row, column] -= 2 * u[row] * products[column] / square;
        }
    }

    /// <summary>
    /// Makes the rows orthonormal one after the other (Gram and Schmidt, each twice: Björck, 1994), which keeps the first direction
    /// and leaves a matrix that is orthogonal already as it is. Blocks of rows are freed of all before them by matrix products (Stewart,
    /// "Block Gram-Schmidt orthogonalization", 2008).
    /// </summary>
    /// <param name="matrix">An invertible matrix, [n, n].</param>
    /// <param name="threads">On how many threads; the result is the same to the bit.</param>
    public static double[,] Orthonormal(double[,] matrix, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        int n = matrix.GetLength(0);
        double[] rows = new double[n * n], turned = new double[n * RowsAtOnce], products = new double[n * RowsAtOnce],
            parts = new double[n * RowsAtOnce];
        Buffer.BlockCopy(matrix, 0, rows, 0, rows.Length * sizeof(double));
        for (int first = 0; first < n; first += RowsAtOnce)
        {
            int count = Math.Min(RowsAtOnce, n - first);
            var block = new MatrixPart(rows, first * n, n, count, n);
            for (int pass = 0; pass < 2; pass++)
            {
                if (first > 0)
                {
                    // B - (B Q^T) Q with Q of all rows before.
                    var before = new MatrixPart(rows, first, n);
                    Array.Clear(products);
                    Transpose(block, turned, 1);
                    MatrixProduct.Add(before, new MatrixPart(turned, n, count), new MatrixPart(products, first, count), threads);
                    Transpose(new MatrixPart(products, first, count), parts, -1);
                    MatrixProduct.Add(new MatrixPart(parts, count, first), before, block, threads);
                }

                for (int row = first; row < first + count; row++) Orthonormalise(rows, n, first, row);
            }
        }

        double[,] result = new double[n, n];
        Buffer.BlockCopy(rows, 0, result, 0, rows.Length * sizeof(double));
        return result;
    }

    /// <summary>Frees a row of those from another one on, twice, and makes its length one.</summary>
    private static void Orthonormalise(double[] rows, int n, int first, int row)
    {
        var current = rows.AsSpan(row * n, n);
        for (int pass = 0; pass < 2; pass++)
        {
            for (int before = first; before < row; before++)
            {
                var other = rows.AsSpan(before * n, n);
                MatrixProduct.AddMultiple(current, other, -TridiagonalEigen.Dot(current, other));
            }
        }

        double length = Math.Sqrt(TridiagonalEigen.Dot(current, current));
        foreach (ref double value in current) value /= length;
    }

    private static void Transpose(MatrixPart from, double[] to, double factor)
    {
        for (int row = 0; row < from.Rows; row++)
        {
            var values = from.From(row, 0)[..from.Columns];
            for (int column = 0; column < values.Length; column++) to[(column * from.Rows) + row] = factor * values[column];
        }
    }

    /// <summary>
    /// Puts orthonormal vectors as columns where, and with the sign with which, they are nearest to unit vectors, the largest element of
    /// all first: so a basis moves what it is applied to as little as it must.
    /// </summary>
    /// <param name="rows">The vectors, one a row.</param>
    public static double[,] NearestToIdentity(double[,] rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        int n = rows.GetLength(0);
        int[] placeOf = LargestOf(rows);
        if (placeOf.Distinct().Count() < n) placeOf = LargestFirst(rows);
        double[,] columns = new double[n, n];
        for (int vector = 0; vector < n; vector++)
        {
            int place = placeOf[vector];
            double sign = rows[vector, place] < 0 ? -1 : 1;
            for (int k = 0; k < n; k++) columns[k, place] = sign * rows[vector, k];
        }

        return columns;
    }

    /// <summary>Where each row has its largest element: the places of all, largest first, where no two rows want the same.</summary>
    private static int[] LargestOf(double[,] rows)
    {
        int n = rows.GetLength(0);
        int[] places = new int[n];
        for (int row = 0; row < n; row++)
        {
            for (int column = 1; column < n; column++)
            {
                if (Math.Abs(rows[row, column]) > Math.Abs(rows[row, places[row]])) places[row] = column;
            }
        }

        return places;
    }

    private static int[] LargestFirst(double[,] rows)
    {
        int n = rows.GetLength(0);
        double[] sizes = new double[n * n];
        int[] order = new int[n * n];
        for (int i = 0; i < sizes.Length; i++) (sizes[i], order[i]) = (-Math.Abs(rows[i / n, i % n]), i);
        Array.Sort(sizes, order);
        int[] placeOf = new int[n];
        Array.Fill(placeOf, -1);
        bool[] taken = new bool[n];
        int left = n;
        foreach (int at in order)
        {
            var (vector, place) = (at / n, at % n);
            if (placeOf[vector] >= 0 || taken[place]) continue;
            (placeOf[vector], taken[place]) = (place, true);
            if (--left == 0) break;
        }

        return placeOf;
    }

    /// <summary>The largest element of R R^T - I in magnitude: 0 for an orthogonal matrix, some 1e-15 for one in float64.</summary>
    /// <param name="matrix">R.</param>
    /// <param name="dual">Another matrix than R to multiply by, transposed: 0 for the transposed inverse.</param>
    public static double Fault(double[,] matrix, double[,]? dual = null)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        int n = matrix.GetLength(0);
        double worst = 0;
        double[] rows = new double[n * n], columns = new double[n * n], product = new double[n * n];
        Buffer.BlockCopy(matrix, 0, rows, 0, rows.Length * sizeof(double));
        double[] other = new double[n * n];
        Buffer.BlockCopy(dual ?? matrix, 0, other, 0, other.Length * sizeof(double));
        for (int i = 0; i < other.Length; i++) columns[(i % n * n) + (i / n)] = other[i];
        MatrixProduct.Add(rows, columns, product, n, n, n);
        for (int i = 0; i < product.Length; i++) worst = Math.Max(worst, Math.Abs(product[i] - (i % n == i / n ? 1 : 0)));
        return worst;
    }
}

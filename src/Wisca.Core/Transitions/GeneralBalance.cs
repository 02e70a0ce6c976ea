using Wisca.Numerics;

namespace Wisca.Transitions;

/// <summary>
/// The invertible matrix M that balances two factors that meet in a product B A: with A' = M A and B' = B M^-1 the product is the same, and
/// A' A'^T = B'^T B', where |A'|^2 + |B'|^2 is least.
/// </summary>
/// <param name="Transform">M, symmetric and positive definite: of all that balance, the one that moves least.</param>
/// <param name="Inverse">M^-1.</param>
/// <param name="Clipped">True where M was kept from growing further: then the factors are nearer to balance, but not in it.</param>
public sealed record GeneralBalance(double[,] Transform, double[,] Inverse, bool Clipped)
{
    // Relative to the mean eigenvalue; directions below it are as good as missing, and M stays invertible there all the same.
    private const double Regularization = 1e-12;

    /// <summary>
    /// Solves S P S = Q for S = M^2, with P = A A^T and Q = B^T B: S = P^-1/2 (P^1/2 Q P^1/2)^1/2 P^-1/2, the geometric mean of P^-1 and Q
    /// (Pusz and Woronowicz, 1975).
    /// </summary>
    /// <param name="aat">P, [r, r].</param>
    /// <param name="btb">Q, [r, r].</param>
    /// <param name="maxLog2">The most that M may stretch or shrink a direction relative to all of them together, as log2.</param>
    /// <returns>Null where a factor is zero: then no M balances them.</returns>
    public static GeneralBalance? Solve(double[,] aat, double[,] btb, double maxLog2)
    {
        ArgumentNullException.ThrowIfNull(aat);
        ArgumentNullException.ThrowIfNull(btb);
        int n = aat.GetLength(0);
        double meanP = Trace(aat) / n, meanQ = Trace(btb) / n;
        if (!(meanP > 0) || !(meanQ > 0)) return null;
        var (valuesP, vectorsP) = SymmetricEigen.Of(Normalized(aat, meanP));
        double[,] root = SymmetricEigen.Compose(valuesP, vectorsP, Root),
            inverseRoot = SymmetricEigen.Compose(valuesP, vectorsP, value => 1 / Root(value));
        var (valuesM, vectorsM) = SymmetricEigen.Of(Product(Product(root, Normalized(btb, meanQ)), root));
        double[,] s = Product(Product(inverseRoot, SymmetricEigen.Compose(valuesM, vectorsM, Root)), inverseRoot);
        var (values, vectors) = SymmetricEigen.Of(Symmetric(s));
        double uniform = Math.Pow(meanQ / meanP, 0.25), most = Math.Pow(2, maxLog2);
        bool clipped = values.Any(value => Root(value) > most || Root(value) < 1 / most);
        return new GeneralBalance(
            SymmetricEigen.Compose(values, vectors, value => uniform * Stretch(value)),
            SymmetricEigen.Compose(values, vectors, value => 1 / (uniform * Stretch(value))),
            clipped);

        double Stretch(double value) => Math.Clamp(Root(value), 1 / most, most);

        static double Root(double value) => Math.Sqrt(Math.Max(value, Regularization * Regularization));
    }

    /// <summary>The Frobenius norm of a factor, from its products.</summary>
    /// <param name="gram">A A^T or B^T B.</param>
    public static double Norm(double[,] gram) => Math.Sqrt(Trace(gram));

    /// <summary>How far two factors are from balance: |P - Q| / (|P| + |Q|), 0 in balance and at most 1.</summary>
    public static double Imbalance(double[,] aat, double[,] btb)
    {
        ArgumentNullException.ThrowIfNull(aat);
        ArgumentNullException.ThrowIfNull(btb);
        double difference = 0, p = 0, q = 0;
        foreach (var (a, b) in aat.Cast<double>().Zip(btb.Cast<double>()))
        {
            difference += (a - b) * (a - b);
            p += a * a;
            q += b * b;
        }

        return p + q == 0 ? 0 : Math.Sqrt(difference) / (Math.Sqrt(p) + Math.Sqrt(q));
    }

    private static double[,] Normalized(double[,] matrix, double mean)
    {
        double[,] result = Map(matrix, value => value / mean);
        for (int i = 0; i < result.GetLength(0); i++) result[i, i] += Regularization;
        return result;
    }

    private static double Trace(double[,] matrix) => Enumerable.Range(0, matrix.GetLength(0)).Sum(i => matrix[i, i]);

    private static double[,] Symmetric(double[,] matrix)
    {
        double[,] result = (double[,])matrix.Clone();
        for (int i = 0; i < result.GetLength(0); i++)
        {
            for (int j = 0; j < i; j++) result[i, j] = result[j, i] = (matrix[i, j] + matrix[j, i]) / 2;
        }

        return result;
    }

    private static double[,] Map(double[,] matrix, Func<double, double> f)
    {
        double[,] result = new double[matrix.GetLength(0), matrix.GetLength(1)];
        for (int i = 0; i < result.GetLength(0); i++)
        {
            for (int j = 0; j < result.GetLength(1); j++) result[i, j] = f(matrix[i, j]);
        }

        return result;
    }

    internal static double[,] Product(double[,] a, double[,] b)
    {
        int n = a.GetLength(0);
        double[,] result = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < n; k++)
            {
                for (int j = 0; j < n; j++) result[i, j] += a[i, k] * b[k, j];
            }
        }

        return result;
    }
}

namespace Wisca.Numerics;

/// <summary>The orthogonal factor of a square matrix: of all orthogonal matrices the one that is nearest to it.</summary>
internal static class PolarFactor
{
    private const int MostSteps = 100;

    /// <summary>
    /// The orthogonal Q of M = Q P with P positive definite, by Newton's iteration (Higham, "Computing the polar decomposition", 1986),
    /// which needs no more steps for a matrix that is badly conditioned.
    /// </summary>
    /// <param name="matrix">M, [n, n].</param>
    /// <param name="n">Its size.</param>
    /// <param name="inverse">The inverse of M.</param>
    /// <returns>Q; null where M is singular to rounding.</returns>
    public static double[]? Of(double[] matrix, int n, out double[]? inverse)
    {
        inverse = Inverse(matrix, n);
        if (inverse is null) return null;
        double[] x = [.. matrix], reciprocal = inverse;
        for (int step = 0; step < MostSteps; step++)
        {
            // Scaled so that the singular values go to 1 from both sides at once.
            double scale = Math.Sqrt(Norm(reciprocal) / Norm(x)), change = 0;
            for (int row = 0; row < n; row++)
            {
                for (int column = 0; column < n; column++)
                {
                    double value = ((scale * x[(row * n) + column]) + (reciprocal[(column * n) + row] / scale)) / 2;
                    double difference = value - x[(row * n) + column];
                    change += difference * difference;
                    x[(row * n) + column] = value;
                }
            }

            // It converges quadratically: after a step of this size the next is one of rounding.
            bool last = change <= 1e-18 * n;
            if (Inverse(x, n) is not { } next) return null;
            reciprocal = next;
            if (!last) continue;
            for (int row = 0; row < n; row++)
            {
                for (int column = 0; column < n; column++)
                    x[(row * n) + column] = (x[(row * n) + column] + reciprocal[(column * n) + row]) / 2;
            }

            return x;
        }

        return null;
    }

    /// <summary>The inverse by elimination with the largest pivot of each column; null where the matrix is singular to rounding.</summary>
    /// <param name="matrix">[n, n].</param>
    /// <param name="n">Its size.</param>
    public static double[]? Inverse(double[] matrix, int n)
    {
        double[] left = [.. matrix], right = new double[n * n];
        for (int i = 0; i < n; i++) right[i * (n + 1)] = 1;
        double least = 1e-15 * matrix.Max(Math.Abs);
        for (int column = 0; column < n; column++)
        {
            int pivot = column;
            for (int row = column + 1; row < n; row++)
            {
                if (Math.Abs(left[(row * n) + column]) > Math.Abs(left[(pivot * n) + column])) pivot = row;
            }

            double value = left[(pivot * n) + column];
            if (!(Math.Abs(value) > least)) return null;
            if (pivot != column)
            {
                Swap(left, pivot, column);
                Swap(right, pivot, column);
            }

            Span<double> own = left.AsSpan(column * n, n), ownRight = right.AsSpan(column * n, n);
            foreach (ref double element in own) element /= value;
            foreach (ref double element in ownRight) element /= value;
            for (int row = 0; row < n; row++)
            {
                double factor = left[(row * n) + column];
                if (row == column || factor == 0) continue;
                MatrixProduct.AddMultiple(left.AsSpan((row * n) + column, n - column), own[column..], -factor);
                MatrixProduct.AddMultiple(right.AsSpan(row * n, n), ownRight, -factor);
            }
        }

        return right;

        void Swap(double[] values, int one, int other)
        {
            double[] row = values[(one * n)..((one + 1) * n)];
            Array.Copy(values, other * n, values, one * n, n);
            row.CopyTo(values, other * n);
        }
    }

    private static double Norm(double[] matrix)
    {
        double sum = 0;
        foreach (double value in matrix) sum += value * value;
        return Math.Sqrt(sum);
    }
}

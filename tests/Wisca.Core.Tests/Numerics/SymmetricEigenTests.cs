using CsCheck;
using Wisca.Numerics;

namespace Wisca.Core.Tests.Numerics;

public sealed class SymmetricEigenTests
{
    [Fact]
    public void Of_RandomSymmetricMatrices_DecomposesThem() =>
        Gen.Double[-10, 10].Array2D[6, 6].Sample(
            values =>
            {
                int n = values.GetLength(0);
                double[,] matrix = new double[n, n];
                for (int i = 0; i < n; i++)
                {
                    for (int j = 0; j < n; j++) matrix[i, j] = values[Math.Min(i, j), Math.Max(i, j)];
                }

                var (eigenvalues, vectors) = SymmetricEigen.Of(matrix);
                eigenvalues.ShouldBe(eigenvalues.Order());
                for (int column = 0; column < n; column++)
                {
                    for (int row = 0; row < n; row++)
                    {
                        Enumerable
                            .Range(0, n)
                            .Sum(k => matrix[row, k] * vectors[k, column])
                            .ShouldBe(eigenvalues[column] * vectors[row, column], 1e-11);
                        Enumerable.Range(0, n).Sum(k => vectors[k, row] * vectors[k, column]).ShouldBe(row == column ? 1 : 0, 1e-12);
                    }
                }
            },
            iter: 200);
}

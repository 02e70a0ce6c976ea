using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Checkpoints;

public sealed class SpectralNormTests
{
    [Theory]
    [InlineData("F64", 12, 20)]
    [InlineData("F64", 20, 12)]
    [InlineData("F32", 24, 24)]
    [InlineData("BF16", 16, 33)]
    [InlineData("F16", 33, 16)]
    [InlineData("F32", 1, 9)]
    [InlineData("F32", 9, 1)]
    public void Of_GroupsAlongBothAxes_AreTheLargestSingularValues(string dtype, int rows, int columns)
    {
        var random = new Random(rows + columns);
        byte[] bytes = ReferenceFloat.Bytes(dtype, Enumerable.Range(0, rows * columns).Select(_ => SmallLlama.Normal(random)));
        double[,] matrix = Matrix(ReferenceFloat.Values(dtype, bytes), rows, columns);
        for (int axis = 0; axis < 2; axis++)
        {
            int length = axis == 0 ? rows : columns, groups = Math.Min(3, length);

            // Interleaved groups, and an index in none.
            int[] groupOfIndex = [.. Enumerable.Range(0, length).Select(index => index == 4 ? -1 : index % groups)];
            double[] norms = Norms(dtype, rows, columns, bytes, axis, groupOfIndex, groups);
            for (int group = 0; group < groups; group++)
            {
                int[] members = [.. Enumerable.Range(0, length).Where(index => groupOfIndex[index] == group)];
                double expected = LargestSingularValue(Part(matrix, axis, members));
                norms[group].ShouldBe(expected, expected * 1e-9);
            }
        }
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(1e-2)]
    [InlineData(1e-3)]
    [InlineData(1e-4)]
    [InlineData(1e-5)]
    [InlineData(1e-6)]
    [InlineData(1e-9)]
    [InlineData(0)]
    public void Of_TwoNearlyEqualSingularValues_IsTheLarger(double gap)
    {
        // Two random rotations around a known spectrum.
        const int n = 24;
        double[,] u = Orthogonal(n, 1), v = Orthogonal(n, 2);
        double[] values = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int k = 0; k < n; k++) values[(i * n) + j] += u[i, k] * v[j, k] * (k == 0 ? 3 : k == 1 ? 3 * (1 - gap) : 1.5 / k);
            }
        }

        LargestSingularValue(Matrix(values, n, n)).ShouldBe(3, 1e-12);
        for (int axis = 0; axis < 2; axis++)
            Norms("F64", n, n, ReferenceFloat.Bytes("F64", values), axis, new int[n], 1)[0].ShouldBe(3, 3 * 1e-8);
    }

    [Fact]
    public void Of_ZeroGroup_IsZeroAndDoesNotDisturbTheOthers()
    {
        double[] values = new double[6 * 5];
        for (int i = 0; i < 15; i++) values[i] = i + 1;
        byte[] bytes = ReferenceFloat.Bytes("F64", values);
        double expected = LargestSingularValue(Matrix(values[..15], 3, 5));
        double[] byRows = Norms("F64", 6, 5, bytes, 0, [0, 0, 0, 1, 1, 1], 3);
        byRows[0].ShouldBe(expected, expected * 1e-10);
        byRows[1..].ShouldBe([0, 0]);

        double[] transposed = new double[30];
        for (int i = 0; i < 6; i++) for (int j = 0; j < 5; j++) transposed[(j * 6) + i] = values[(i * 5) + j];
        double[] byColumns = Norms("F64", 5, 6, ReferenceFloat.Bytes("F64", transposed), 1, [0, 0, 0, 1, 1, 1], 3);
        byColumns[0].ShouldBe(expected, expected * 1e-10);
        byColumns[1..].ShouldBe([0, 0]);
    }

    private static double[] Norms(string dtype, int rows, int columns, byte[] bytes, int axis, int[] groupOfIndex, int groups)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a"], TestCheckpoint.File([new TestTensor("w", dtype, [rows, columns], bytes)]));
        using var file = SafetensorsFile.Open(folder["a"]);
        return SpectralNorm.Of(new MatrixView(new StoredTensor(file, file.Header.Tensors[0]), axis), groupOfIndex, groups);
    }

    private static double[,] Matrix(double[] values, int rows, int columns)
    {
        double[,] matrix = new double[rows, columns];
        for (int i = 0; i < values.Length; i++) matrix[i / columns, i % columns] = values[i];
        return matrix;
    }

    private static double[,] Part(double[,] matrix, int axis, int[] members)
    {
        double[,] part = axis == 0 ? new double[members.Length, matrix.GetLength(1)] : new double[matrix.GetLength(0), members.Length];
        for (int i = 0; i < part.GetLength(0); i++)
        {
            for (int j = 0; j < part.GetLength(1); j++) part[i, j] = axis == 0 ? matrix[members[i], j] : matrix[i, members[j]];
        }

        return part;
    }

    /// <summary>One-sided Jacobi (Hestenes): rotates pairs of columns until all are orthogonal;
    /// their lengths are the singular values.</summary>
    private static double LargestSingularValue(double[,] a)
    {
        int rows = a.GetLength(0), columns = a.GetLength(1);
        for (int sweep = 0; sweep < 60; sweep++)
        {
            for (int p = 0; p < columns; p++)
            {
                for (int q = p + 1; q < columns; q++)
                {
                    double pp = 0, qq = 0, pq = 0;
                    for (int i = 0; i < rows; i++)
                    {
                        pp += a[i, p] * a[i, p];
                        qq += a[i, q] * a[i, q];
                        pq += a[i, p] * a[i, q];
                    }

                    if (Math.Abs(pq) <= 1e-300) continue;
                    double zeta = (qq - pp) / (2 * pq);
                    double t = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
                    double c = 1 / Math.Sqrt(1 + (t * t)), s = c * t;
                    for (int i = 0; i < rows; i++) (a[i, p], a[i, q]) = ((c * a[i, p]) - (s * a[i, q]), (s * a[i, p]) + (c * a[i, q]));
                }
            }
        }

        return Enumerable.Range(0, columns).Max(column => Math.Sqrt(Enumerable.Range(0, rows).Sum(row => a[row, column] * a[row, column])));
    }

    /// <summary>An orthogonal matrix by Gram and Schmidt.</summary>
    private static double[,] Orthogonal(int n, int seed)
    {
        var random = new Random(seed);
        double[,] q = new double[n, n];
        for (int column = 0; column < n; column++)
        {
            for (int i = 0; i < n; i++) q[i, column] = SmallLlama.Normal(random);
            for (int pass = 0; pass < 2; pass++)
            {
                for (int other = 0; other < column; other++)
                {
                    double dot = Enumerable.Range(0, n).Sum(i => q[i, column] * q[i, other]);
                    for (int i = 0; i < n; i++) q[i, column] -= dot * q[i, other];
                }
            }

            double length = Math.Sqrt(Enumerable.Range(0, n).Sum(i => q[i, column] * q[i, column]));
            for (int i = 0; i < n; i++) q[i, column] /= length;
        }

        return q;
    }
}

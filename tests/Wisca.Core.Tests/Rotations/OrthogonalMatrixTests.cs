using Wisca.Numerics;
using Wisca.Rotations;

namespace Wisca.Core.Tests.Rotations;

/// <summary>Matrices that rotations are made of.</summary>
public sealed class OrthogonalMatrixTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(33)]
    [InlineData(96)]
    public void Random_AnySize_IsOrthogonalAndDependsOnTheSeedAlone(int size)
    {
        double[,] first = OrthogonalMatrix.Random(size, 7);
        OrthogonalMatrix.Fault(first).ShouldBeLessThan(1e-14);
        OrthogonalMatrix.Random(size, 7).ShouldBe(first);
        if (size > 1) OrthogonalMatrix.Random(size, 8).ShouldNotBe(first);
    }

    [Fact]
    public void Random_ManyDraws_AreSpreadEvenly()
    {
        // Of Haar's measure: the mean of an element is 0, of its square 1/n, and the trace's variance is 1.
        const int n = 6, draws = 4000;
        double sum = 0, squares = 0, traces = 0;
        for (ulong seed = 0; seed < draws; seed++)
        {
            double[,] matrix = OrthogonalMatrix.Random(n, seed * 7919);
            sum += matrix[1, 2];
            squares += matrix[1, 2] * matrix[1, 2];
            double trace = Enumerable.Range(0, n).Sum(i => matrix[i, i]);
            traces += trace * trace;
        }

        (sum / draws).ShouldBe(0, 0.03);
        (squares / draws).ShouldBe(1.0 / n, 0.02);
        (traces / draws).ShouldBe(1, 0.12);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(48)]
    public void Random_KeepsOnes_KeepsThem(int size)
    {
        double[,] matrix = OrthogonalMatrix.Random(size, 3, keepsOnes: true);
        OrthogonalMatrix.Fault(matrix).ShouldBeLessThan(1e-14);
        for (int row = 0; row < size; row++)
        {
            Enumerable.Range(0, size).Sum(column => matrix[row, column]).ShouldBe(1, 1e-13);
            Enumerable.Range(0, size).Sum(column => matrix[column, row]).ShouldBe(1, 1e-13);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(12)]
    [InlineData(20)]
    [InlineData(28)]
    [InlineData(36)]
    [InlineData(40)]
    [InlineData(52)]
    [InlineData(60)]
    [InlineData(84)]
    [InlineData(96)]
    [InlineData(108)]
    [InlineData(140)]
    [InlineData(144)]
    [InlineData(156)]
    [InlineData(172)]
    [InlineData(416)]
    [InlineData(576)]
    [InlineData(896)]
    [InlineData(1600)]
    public void Hadamard_KnownSize_IsOrthogonalWithElementsOfOneSize(int size)
    {
        double[,] matrix = OrthogonalMatrix.Hadamard(size, 5);
        if (size <= 160) OrthogonalMatrix.Fault(matrix).ShouldBeLessThan(1e-13);
        foreach (double element in matrix) Math.Abs(element).ShouldBe(1 / Math.Sqrt(size), 1e-15);

        // Rows of integers are orthogonal without rounding; a few of a large one will do.
        for (int row = 1; row < Math.Min(size, 30); row++)
            Enumerable.Range(0, size).Sum(column => Math.Sign(matrix[0, column]) * Math.Sign(matrix[row, column])).ShouldBe(0);
        if (size > 1) OrthogonalMatrix.Hadamard(size, 6).ShouldNotBe(matrix);
    }

    /// <summary>The product by doublings against the dense one, forwards and back, whatever lies behind the axis.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(48)]
    [InlineData(128)]
    [InlineData(160)]
    [InlineData(312)]
    public void HadamardTurn_EveryLayout_IsTheDenseProduct(int size)
    {
        double[,] matrix = OrthogonalMatrix.Hadamard(size, 9), transposed = new double[size, size];
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) transposed[column, row] = matrix[row, column];
        }

        var random = new Random(3);
        double[] before = [.. Enumerable.Range(0, size).Select(_ => 0.5 + random.NextDouble())],
            after = [.. Enumerable.Range(0, size).Select(_ => 0.5 + random.NextDouble())];
        foreach (double[,] rotation in (double[][,])[matrix, transposed])
        {
            var fast = HadamardTurn.Find(rotation).ShouldNotBeNull();
            foreach (var (outer, inner) in ((int, int)[])[(3, 1), (1, 5), (2, 4)])
            {
                // Longer than the space, which begins at the second index.
                int length = size + 2;
                double[] values = [.. Enumerable.Range(0, outer * length * inner).Select(_ => random.NextDouble() - 0.5)];
                double[] expected = [.. values], actual = [.. values];
                double[] rows = [.. rotation.Cast<double>()];
                new AxisTurn(0, 1, size, rows, before, after).Apply(expected, length, inner);
                new AxisTurn(0, 1, size, rows, before, after, fast).Apply(actual, length, inner);
                actual.Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-14);
                actual.Zip(values, (a, b) => Math.Abs(a - b)).Max().ShouldBeGreaterThan(0.1);
            }
        }
    }

    [Fact]
    public void HadamardTurn_MatrixThatIsNone_IsNotTakenForOne()
    {
        double[,] matrix = OrthogonalMatrix.Hadamard(64, 2);
        HadamardTurn.Find(matrix).ShouldNotBeNull();
        matrix[7, 9] = -matrix[7, 9];
        HadamardTurn.Find(matrix).ShouldBeNull();
        HadamardTurn.Find(OrthogonalMatrix.Random(64, 2)).ShouldBeNull();
        HadamardTurn.Find(OrthogonalMatrix.Identity(64)).ShouldBeNull();
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(6, false)]
    [InlineData(92, false)]
    [InlineData(16, true)]
    public void Hadamard_SizeOrNeedThatHasNone_SaysSo(int size, bool keepsOnes) =>
        Should.Throw<WiscaException>(() => OrthogonalMatrix.Hadamard(size, 0, keepsOnes)).Hint.ShouldNotBeNull().ShouldContain("random");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(80)]
    public void TridiagonalEigen_RandomMatrix_AgreesWithJacobi(int size)
    {
        double[,] matrix = Symmetric(size, 11);
        var (expected, _) = SymmetricEigen.Of(matrix);
        var (values, vectors) = TridiagonalEigen.Of(matrix);
        for (int i = 0; i < size; i++)
        {
            values[i].ShouldBe(expected[i], 1e-12 * size);
            for (int row = 0; row < size; row++)
            {
                double product = Enumerable.Range(0, size).Sum(column => matrix[row, column] * vectors[i][column]);
                product.ShouldBe(values[i] * vectors[i][row], 1e-12 * size);
            }
        }
    }

    [Fact]
    public void TridiagonalEigen_RepeatedAndZeroValues_AreFound()
    {
        double[,] diagonal = new double[5, 5];
        (diagonal[0, 0], diagonal[1, 1], diagonal[4, 4]) = (3, 3, -1);
        TridiagonalEigen.Of(diagonal).Values.ShouldBe([-1, 0, 0, 3, 3]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Basis_OfACovariance_MakesItDiagonalAndStaysNearTheIdentity(bool keepsOnes)
    {
        const int n = 12;
        double[,] covariance = Symmetric(n, 4), rotation = RotationBasis.Of(covariance, keepsOnes);
        OrthogonalMatrix.Fault(rotation).ShouldBeLessThan(1e-13);
        double[,] turned = Turned(covariance, rotation);
        if (!keepsOnes)
        {
            for (int row = 0; row < n; row++)
            {
                for (int column = 0; column < row; column++) turned[row, column].ShouldBe(0, 1e-12);
            }

            // What is diagonal already is left where it is.
            double[,] again = RotationBasis.Of(turned, keepsOnes);
            for (int row = 0; row < n; row++) again[row, row].ShouldBe(1, 1e-12);
        }
        else
        {
            for (int row = 0; row < n; row++) Enumerable.Range(0, n).Sum(column => rotation[row, column]).ShouldBe(1, 1e-12);
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 5, 7)]
    [InlineData(8, 300, 33)]
    [InlineData(33, 64, 70)]
    [InlineData(7, 2, 3000)]
    [InlineData(140, 130, 37)]
    [InlineData(261, 300, 530)]
    public void MatrixProduct_AnyShape_IsThatOfPlainLoops(int rows, int inner, int columns)
    {
        var random = new Random(1);
        double[] a = Draw(rows * inner), b = Draw(inner * columns), c = Draw(rows * columns), expected = [.. c];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                for (int k = 0; k < inner; k++) expected[(i * columns) + j] += a[(i * inner) + k] * b[(k * columns) + j];
            }
        }

        MatrixProduct.Add(a, b, c, rows, inner, columns);
        c.Zip(expected, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-12 * inner);

        double[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];
    }

    /// <summary>Each element is one chain of fused operations, in whichever part of a tile or of a task it lies.</summary>
    [Theory]
    [InlineData(3, 5, 7)]
    [InlineData(139, 261, 530)]
    public void MatrixProduct_EachElement_IsOneChainOnAnyNumberOfThreads(int rows, int inner, int columns)
    {
        double[] a = Draw(rows * inner, 1), b = Draw(inner * columns, 2), expected = new double[rows * columns];
        for (int i = 0; i < expected.Length; i++)
        {
            for (int k = 0; k < inner; k++)
                expected[i] = Math.FusedMultiplyAdd(a[(i / columns * inner) + k], b[(k * columns) + (i % columns)], expected[i]);
        }

        double[] whole = new double[rows * columns], parts = new double[rows * columns];
        MatrixProduct.Add(a, b, whole, rows, inner, columns);
        whole.AsSpan().SequenceEqual(expected).ShouldBeTrue();
        MatrixProduct.Add(new(a, rows, inner), new(b, inner, columns), new(parts, rows, columns), threads: 3);
        parts.AsSpan().SequenceEqual(expected).ShouldBeTrue();
    }

    /// <summary>Parts of larger matrices, of which what lies beside stays.</summary>
    [Fact]
    public void MatrixProduct_PartsAndUpperHalf_LeaveTheRestAlone()
    {
        const int n = 700, first = 5, size = 690;
        double[] a = Draw(n * n, 1), b = Draw(n * n, 2), c = new double[n * n], small = new double[size * size];
        double[] left = Inside(a), right = Inside(b);
        MatrixProduct.Add(left, right, small, size, size, size);
        MatrixProduct.Add(Part(a), Part(b), Part(c), threads: 2);
        Inside(c).AsSpan().SequenceEqual(small).ShouldBeTrue();
        c.Count(value => value != 0).ShouldBe(small.Count(value => value != 0));
        double[] upper = new double[size * size];
        MatrixProduct.Add(Part(a), Part(b), new(upper, size, size), threads: 2, upperOnly: true);
        for (int i = 0; i < size; i++)
            upper.AsSpan((i * size) + i, size - i).SequenceEqual(small.AsSpan((i * size) + i, size - i)).ShouldBeTrue();
        upper.Count(value => value == 0).ShouldBeGreaterThan(0);

        static MatrixPart Part(double[] values) => new(values, (first * n) + first, n, size, size);

        static double[] Inside(double[] values) =>
            [.. Enumerable.Range(0, size).SelectMany(row => values.AsSpan(((first + row) * n) + first, size).ToArray())];
    }

    /// <summary>Large enough that rows, columns and blocks are handed out.</summary>
    [Fact]
    public void LargeMatrices_OnAnyNumberOfThreads_AreTheSameToTheBitAndOrthogonal()
    {
        const int n = 333;
        double[,] matrix = Symmetric(n, 3);
        var (values, vectors) = TridiagonalEigen.Of(matrix);
        var (valuesOfThree, vectorsOfThree) = TridiagonalEigen.Of(matrix, threads: 3);
        valuesOfThree.ShouldBe(values);
        for (int i = 0; i < n; i++) vectorsOfThree[i].AsSpan().SequenceEqual(vectors[i]).ShouldBeTrue();
        double[,] rotation = RotationBasis.Of(matrix, keepsOnes: false), random = OrthogonalMatrix.Random(n, 4);
        OrthogonalMatrix.Fault(rotation).ShouldBeLessThan(1e-14);
        OrthogonalMatrix.Fault(random).ShouldBeLessThan(1e-14);
        Flat(RotationBasis.Of(matrix, keepsOnes: false, threads: 2)).AsSpan().SequenceEqual(Flat(rotation)).ShouldBeTrue();
        Flat(OrthogonalMatrix.Random(n, 4, threads: 2)).AsSpan().SequenceEqual(Flat(random)).ShouldBeTrue();
        double[] product = new double[n * n], turned = new double[n * n], transposed = new double[n * n], r = Flat(rotation);
        for (int i = 0; i < r.Length; i++) transposed[(i % n * n) + (i / n)] = r[i];
        MatrixProduct.Add(transposed, Flat(matrix), product, n, n, n);
        MatrixProduct.Add(product, r, turned, n, n, n);
        turned.Where((_, i) => i / n != i % n).Max(Math.Abs).ShouldBeLessThan(1e-12);

        // A matrix that is orthogonal stays what it is, whatever block a row lies in.
        Flat(OrthogonalMatrix.Orthonormal(random)).Zip(Flat(random), (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-14);

        static double[] Flat(double[,] values) => [.. values.Cast<double>()];
    }

    /// <summary>Where no two rows have their largest element in one column there is nothing to sort: the same as with sorting.</summary>
    [Fact]
    public void NearestToIdentity_RowsThatWantTheSamePlace_GiveWayToTheLargest()
    {
        double[,] near = OrthogonalMatrix.NearestToIdentity(new double[,] { { 0.6, -0.8 }, { 0.8, 0.6 } });
        near.ShouldBe(new double[,] { { 0.8, -0.6 }, { 0.6, 0.8 } });

        // Both have their largest in the first column.
        double[,] contested = OrthogonalMatrix.NearestToIdentity(new double[,] { { 0.7, 0.1 }, { -0.9, 0.2 } });
        contested.ShouldBe(new double[,] { { 0.9, 0.7 }, { -0.2, 0.1 } });
    }

    private static double[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];
    }

    private static double[,] Symmetric(int size, int seed)
    {
        var random = new Random(seed);
        double[,] matrix = new double[size, size];
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column <= row; column++) matrix[row, column] = matrix[column, row] = random.NextDouble() - 0.5;
        }

        return matrix;
    }

    private static double[,] Turned(double[,] matrix, double[,] rotation)
    {
        int n = matrix.GetLength(0);
        double[,] result = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int k = 0; k < n; k++)
                {
                    for (int l = 0; l < n; l++) result[i, j] += rotation[k, i] * matrix[k, l] * rotation[l, j];
                }
            }
        }

        return result;
    }
}

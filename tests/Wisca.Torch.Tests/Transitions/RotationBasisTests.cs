using Wisca.Rotations;
using Wisca.Tests.Torch;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

[Collection(TorchCollection.Name)]
public sealed class RotationBasisTests
{
    [Theory]
    [InlineData(12, false)]
    [InlineData(12, true)]
    [InlineData(96, false)]
    [InlineData(96, true)]
    public void Find_AnyCovariance_IsOrthogonalAndDiagonalises(int size, bool keepsOnes)
    {
        using var scope = NewDisposeScope();
        var covariance = Covariance(size, size / 2);
        double[,] rotation = RotationBasis.Find(covariance, keepsOnes);
        OrthogonalMatrix.Fault(rotation).ShouldBeLessThan(1e-14);
        var turned = Turned(covariance, rotation);
        double before = RotationBasis.DiagonalShare(covariance), after = RotationBasis.DiagonalShare(turned);
        if (!keepsOnes)
        {
            after.ShouldBe(1, 1e-12);
            return;
        }

        after.ShouldBeGreaterThan(before + 0.1);
        for (int row = 0; row < size; row++) Enumerable.Range(0, size).Sum(column => rotation[row, column]).ShouldBe(1, 1e-13);
    }

    [Fact]
    public void Find_EigenvectorsThatAreNearTheAxes_MovesThemLittle()
    {
        // Descending and ascending variances, mixed by little: whatever order the decomposition has, axes stay where they are.
        using var scope = NewDisposeScope();
        const int size = 16;
        double[,] near = OrthogonalMatrix.Orthonormal(
            Matrix(size, (row, column) => (row == column ? 1 : 0) + (0.02 * Math.Sin((3 * row) + column))));
        double[] variances = [.. Enumerable.Range(0, size).Select(index => 1.0 + ((index * 7) % size))];
        var basis = tensor(near);
        var covariance = basis.matmul(tensor(variances).diag()).matmul(basis.transpose(0, 1));
        double[,] found = RotationBasis.Find(covariance, keepsOnes: false);
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) found[row, column].ShouldBe(near[row, column], 1e-10);
        }
    }

    [Fact]
    public void Find_ByIteration_ComesToTheSameBasis()
    {
        using var scope = NewDisposeScope();
        const int size = 8;
        double[] variances = [.. Enumerable.Range(0, size).Select(index => Math.Pow(3, -index))];
        var basis = tensor(OrthogonalMatrix.Random(size, 9));
        var covariance = basis.matmul(tensor(variances).diag()).matmul(basis.transpose(0, 1));
        for (int step = 0; step < 40; step++)
        {
            double[,] rotation = RotationBasis.Find(covariance, keepsOnes: false, BasisSearch.Iteration);
            OrthogonalMatrix.Fault(rotation).ShouldBeLessThan(1e-14);
            covariance = Turned(covariance, rotation);
        }

        RotationBasis.DiagonalShare(covariance).ShouldBe(1, 1e-9);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Find_FractionOfTheWay_GoesFurtherTheMoreThereIsOfIt(bool keepsOnes)
    {
        using var scope = NewDisposeScope();
        const int size = 24;
        var covariance = Covariance(size, size);
        double[] distances =
        [
            .. ((double[])[0.1, 0.4, 0.7, 1]).Select(fraction =>
            {
                double[,] rotation = RotationBasis.Find(covariance, keepsOnes, BasisSearch.Eigenvectors, fraction);
                OrthogonalMatrix.Fault(rotation).ShouldBeLessThan(1e-14);
                if (keepsOnes) Enumerable.Range(0, size).Sum(column => rotation[3, column]).ShouldBe(1, 1e-13);
                return (tensor(rotation) - eye(size, dtype: ScalarType.Float64)).norm().item<double>();
            }),
        ];
        distances.ShouldBe(distances.Order());
        distances[0].ShouldBeInRange(1e-3, 0.5 * distances[^1]);
        distances.Distinct().Count().ShouldBe(4);
    }

    private static Tensor Covariance(int size, int rank)
    {
        using var scope = NewDisposeScope();
        var rows = tensor(Matrix(size, (row, column) => row < rank ? Math.Cos((row * 5.3) + (column * column * 1.7)) : 0));
        return rows.transpose(0, 1).matmul(rows).MoveToOuterDisposeScope();
    }

    private static double[,] Matrix(int size, Func<int, int, double> element)
    {
        double[,] matrix = new double[size, size];
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) matrix[row, column] = element(row, column);
        }

        return matrix;
    }

    private static Tensor Turned(Tensor covariance, double[,] rotation)
    {
        var turn = tensor(rotation);
        return turn.t().matmul(covariance).matmul(turn);
    }
}

using Wisca.Rotations;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>The basis in which a covariance is diagonal, near to the present one. All in float64 on the CPU.</summary>
internal static class RotationBasis
{
    /// <summary>From here on one step of orthogonal iteration stands for all eigenvectors: it costs a tenth, and steps add up.</summary>
    private const int LargestDecomposition = 1024;

    /// <summary>
    /// An orthogonal matrix whose columns are the eigenvectors of a covariance, in the order and with the signs that are nearest to the
    /// identity, so that axes move as little as they must.
    /// </summary>
    /// <param name="covariance">[n, n], symmetric.</param>
    /// <param name="keepsOnes">True for a matrix that keeps the vector of ones: then the covariance in its complement decides.</param>
    /// <param name="largest">The largest n that is decomposed; null for the default.</param>
    public static double[,] Find(Tensor covariance, bool keepsOnes, int? largest = null)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        if (keepsOnes) return OrthogonalMatrix.KeepingOnes(Find(Complement(covariance), false, largest));
        int size = (int)covariance.shape[0];
        var vectors = size <= (largest ?? LargestDecomposition) ? linalg.eigh(covariance).Item2 : Iterated(covariance);
        return ToArray(Polished(tensor(Nearest(ToArray(vectors)))));
    }

    /// <summary>The share of a matrix's squared Frobenius norm that lies on its diagonal; 1 for a matrix of zeros.</summary>
    public static double DiagonalShare(Tensor matrix)
    {
        using var scope = NewDisposeScope();
        double all = matrix.Squared().sum().AsDouble();
        return all == 0 ? 1 : matrix.diagonal().Squared().sum().AsDouble() / all;
    }

    /// <summary>R^T C R.</summary>
    public static Tensor Turned(Tensor covariance, double[,] rotation)
    {
        using var scope = NewDisposeScope();
        var turn = tensor(rotation);
        return turn.transpose(0, 1).matmul(covariance).matmul(turn).MoveToOuterDisposeScope();
    }

    public static double[,] ToArray(Tensor matrix)
    {
        double[] values = matrix.contiguous().data<double>().ToArray();
        double[,] array = new double[matrix.shape[0], matrix.shape[1]];
        Buffer.BlockCopy(values, 0, array, 0, values.Length * sizeof(double));
        return array;
    }

    /// <summary>The covariance without the direction of ones, in the basis that <see cref="OrthogonalMatrix.KeepingOnes"/> uses.</summary>
    private static Tensor Complement(Tensor covariance)
    {
        long size = covariance.shape[0];
        var u = ones([size], ScalarType.Float64).Times(-1 / Math.Sqrt(size));
        u.narrow(0, 0, 1).copy_(u.narrow(0, 0, 1).Plus(1));
        var reflection = eye(size, dtype: ScalarType.Float64).Plus_(outer(u, u), -2 / u.Squared().sum().AsDouble());
        return reflection.matmul(covariance).matmul(reflection).narrow(0, 1, size - 1).narrow(1, 1, size - 1);
    }

    /// <summary>Q of C with the columns of the largest variances first.</summary>
    private static Tensor Iterated(Tensor covariance) =>
        linalg.qr(covariance.index_select(1, covariance.diagonal().argsort(descending: true))).Item1;

    /// <summary>Columns to the places where they have their largest elements, largest first, with those positive.</summary>
    private static double[,] Nearest(double[,] vectors)
    {
        int size = vectors.GetLength(0);
        double[] keys = new double[size * size];
        int[] places = new int[size * size];
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++)
            {
                places[(row * size) + column] = (row * size) + column;
                keys[(row * size) + column] = -Math.Abs(vectors[row, column]);
            }
        }

        Array.Sort(keys, places);
        double[,] nearest = new double[size, size];
        bool[] filled = new bool[size], used = new bool[size];
        foreach (int place in places)
        {
            var (row, column) = Math.DivRem(place, size);
            if (filled[row] || used[column]) continue;
            filled[row] = used[column] = true;
            double sign = vectors[row, column] < 0 ? -1 : 1;
            for (int k = 0; k < size; k++) nearest[k, row] = sign * vectors[k, column];
        }

        return nearest;
    }

    /// <summary>R (3 I - R^T R) / 2: what the decomposition left of an error in orthogonality is squared.</summary>
    private static Tensor Polished(Tensor matrix) =>
        matrix.Times(1.5).Plus_(matrix.matmul(matrix.transpose(0, 1).matmul(matrix)), -0.5);
}

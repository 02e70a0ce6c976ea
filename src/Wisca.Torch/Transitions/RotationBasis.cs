using Wisca.Rotations;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>The basis in which a covariance is diagonal, near to the present one. All in float64 on the CPU.</summary>
internal static class RotationBasis
{
    /// <summary>
    /// An orthogonal matrix whose columns are the eigenvectors of a covariance, in the order and with the signs that are nearest to the
    /// identity, so that axes move as little as they must.
    /// </summary>
    /// <param name="covariance">[n, n], symmetric.</param>
    /// <param name="keepsOnes">True for a matrix that keeps the vector of ones: then the covariance in its complement decides.</param>
    /// <param name="search">How the eigenvectors are looked for.</param>
    /// <param name="fraction">How far to go there, in (0, 1]: the orthogonal matrix nearest to (1 - fraction) I + fraction R.</param>
    public static double[,] Find(
        Tensor covariance, bool keepsOnes, BasisSearch search = BasisSearch.Eigenvectors, double fraction = 1)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        if (keepsOnes)
            return OrthogonalMatrix.KeepingOnes(Find(tensor(OrthogonalMatrix.BesideOnes(ToArray(covariance))), false, search, fraction));
        var vectors = search == BasisSearch.Eigenvectors ? linalg.eigh(covariance).Item2 : Iterated(covariance);
        var nearest = tensor(OrthogonalMatrix.NearestToIdentity(ToArray(vectors.t())));
        return ToArray(Polished(fraction < 1 ? PartOf(nearest, fraction) : nearest));
    }

    /// <summary>The share of a matrix's squared Frobenius norm that lies on its diagonal; 1 for a matrix of zeros.</summary>
    public static double DiagonalShare(Tensor matrix)
    {
        using var scope = NewDisposeScope();
        double all = matrix.Squared().sum().AsDouble();
        return all == 0 ? 1 : matrix.diagonal().Squared().sum().AsDouble() / all;
    }

    /// <summary>The same share of R^T C R, which has the norm of C.</summary>
    public static double DiagonalShare(Tensor covariance, double[,] rotation)
    {
        using var scope = NewDisposeScope();
        var turn = tensor(rotation);
        double all = covariance.Squared().sum().AsDouble();
        return all == 0 ? 1 : Math.Min(1, covariance.matmul(turn).mul_(turn).sum([0L]).Squared().sum().AsDouble() / all);
    }

    public static double[,] ToArray(Tensor matrix)
    {
        double[] values = matrix.contiguous().data<double>().ToArray();
        double[,] array = new double[matrix.shape[0], matrix.shape[1]];
        Buffer.BlockCopy(values, 0, array, 0, values.Length * sizeof(double));
        return array;
    }

    /// <summary>Q of C with the columns of the largest variances first.</summary>
    private static Tensor Iterated(Tensor covariance) =>
        linalg.qr(covariance.index_select(1, covariance.diagonal().argsort(descending: true))).Item1;

    private static Tensor PartOf(Tensor rotation, double fraction)
    {
        var between = eye(rotation.shape[0], dtype: ScalarType.Float64).Times(1 - fraction).Plus_(rotation, fraction);
        var (left, _, right) = linalg.svd(between);
        return left.matmul(right);
    }

    /// <summary>R (3 I - R^T R) / 2: what the decomposition left of an error in orthogonality is squared.</summary>
    private static Tensor Polished(Tensor matrix) =>
        matrix.Times(1.5).Plus_(matrix.matmul(matrix.transpose(0, 1).matmul(matrix)), -0.5);
}

using System.Runtime.InteropServices;
using Wisca.Library.Documents;
using Wisca.Library.Sessions;
using Wisca.Rotations;

namespace Wisca.Library.Exports;

/// <summary>Rotations: <c>wisca_basis_*</c> and <c>wisca_gains_follow</c>.</summary>
internal static unsafe class BasisExports
{
    private const int MostDimensions = 32_768;

    [UnmanagedCallersOnly(EntryPoint = "wisca_basis_random")]
    public static int Random(int n, ulong seed, int keepsOnes, double* rotation, byte** error) => Call.Run(
        error, () => Matrices.Write(OrthogonalMatrix.Random(Size(n, 2), seed, keepsOnes != 0), Square(rotation, n, nameof(rotation))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_basis_hadamard")]
    public static int Hadamard(int n, ulong seed, int keepsOnes, double* rotation, byte** error) => Call.Run(
        error, () => Matrices.Write(OrthogonalMatrix.Hadamard(Size(n, 1), seed, keepsOnes != 0), Square(rotation, n, nameof(rotation))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_basis_nearest")]
    public static int Nearest(int n, double* vectors, double* rotation, byte** error) => Call.Run(error, () => Matrices.Write(
        OrthogonalMatrix.NearestToIdentity(Matrices.Read(Square(vectors, Size(n, 1), nameof(vectors)), n)),
        Square(rotation, n, nameof(rotation))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_basis_beside_ones")]
    public static int BesideOnes(int n, double* covariance, double* smaller, byte** error) => Call.Run(error, () => Matrices.Write(
        OrthogonalMatrix.BesideOnes(Matrices.Read(Square(covariance, Size(n, 2), nameof(covariance)), n)),
        Square(smaller, n - 1, nameof(smaller))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_basis_keeping_ones")]
    public static int KeepingOnes(int n, double* smaller, double* rotation, byte** error) => Call.Run(error, () => Matrices.Write(
        OrthogonalMatrix.KeepingOnes(Matrices.Read(Square(smaller, Size(n, 2) - 1, nameof(smaller)), n - 1)),
        Square(rotation, n, nameof(rotation))));

    [UnmanagedCallersOnly(EntryPoint = "wisca_gains_follow")]
    public static int Follow(int n, double* gains, double* rotation, double* after, byte** error) => Call.Run(error, () =>
    {
        double[] before = Output.Numbers(gains, (nuint)Size(n, 1), nameof(gains)).ToArray();
        if (NormGains.TooSmall(before) is { } obstacle) throw new WiscaException($"a gain {obstacle}", "the space cannot be rotated now");
        NormGains.Follow(before, Matrices.Read(Square(rotation, n, nameof(rotation)), n))
            .CopyTo(Output.Numbers(after, (nuint)n, nameof(after)));
    });

    private static int Size(int n, int least) =>
        n >= least && n <= MostDimensions ? n : throw new RequestException($"n is {n}, expected {least} to {MostDimensions}");

    private static Span<double> Square(double* numbers, int n, string what) => Output.Numbers(numbers, (nuint)n * (nuint)n, what);
}

namespace Wisca.Evaluation.Flatness;

/// <summary>How the largest eigenvalues are found.</summary>
public sealed record LanczosOptions
{
    /// <summary>How many. 3 by default.</summary>
    public int Eigenvalues { get; init; } = 3;

    /// <summary>The most steps, each one Hessian-vector product and one vector of the parameters' size kept. 60 by default.</summary>
    public int MaxSteps { get; init; } = 60;

    /// <summary>
    /// The residual to reach, as a share of the largest |eigenvalue|. 1e-2 by default. The error of an eigenvalue is at most its residual,
    /// and about its square over the distance to the next one.
    /// </summary>
    public double Tolerance { get; init; } = 1e-2;

    /// <summary>The seed of the starting vector.</summary>
    public ulong Seed { get; init; }
}

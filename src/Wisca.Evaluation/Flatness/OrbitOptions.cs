namespace Wisca.Evaluation.Flatness;

/// <summary>How an orbit is walked.</summary>
public sealed record OrbitOptions
{
    /// <summary>The grid is log2 s = -Range ... Range in steps of 1:
    /// powers of two, which change no bit of the function. 2 by default.</summary>
    public int Range { get; init; } = 2;

    /// <summary>Probes for each trace; the same ones at every point. 8 by default.</summary>
    public int Probes { get; init; } = 8;

    /// <summary>How the largest eigenvalue is found; one is asked for whatever this says.</summary>
    public LanczosOptions Eigenvalue { get; init; } = new() { Tolerance = 2e-2 };

    /// <summary>The seed of the probes.</summary>
    public ulong Seed { get; init; }
}

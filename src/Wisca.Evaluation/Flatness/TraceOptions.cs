namespace Wisca.Evaluation.Flatness;

/// <summary>How traces are estimated.</summary>
public sealed record TraceOptions
{
    /// <summary>The fewest probes, at least 2. 8 by default.</summary>
    public int MinProbes { get; init; } = 8;

    /// <summary>The most probes. 32 by default.</summary>
    public int MaxProbes { get; init; } = 32;

    /// <summary>No further probes once the standard error is this share of the estimate. 0.05 by default.</summary>
    public double RelativeError { get; init; } = 0.05;

    /// <summary>The seed of the probes. Probe i is the same whatever their number.</summary>
    public ulong Seed { get; init; }
}

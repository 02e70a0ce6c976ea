using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>What to do to a checkpoint. The defaults are the paper's transitions per tensor (<c>qk_ten+vo_ten</c>).</summary>
public sealed record RescaleOptions : TransitionOptions
{
    /// <summary>
    /// True to apply power-of-two factors where elements overflow or lose bits (F16 has few exponents); the original bits are kept in
    /// the ledger. False by default: such groups are skipped and reported.
    /// </summary>
    public bool AllowLossy { get; init; }

    /// <summary>Number of threads; all processors by default.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

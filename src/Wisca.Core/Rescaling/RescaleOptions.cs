using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>What to do to a checkpoint. The defaults are the paper's transitions per tensor (<c>qk_ten+vo_ten</c>).</summary>
public sealed record RescaleOptions : TransitionOptions
{
    /// <summary>
    /// True to leave alone every group of which a power of two would cost elements bits (F16 has few exponents). By default such elements
    /// are rounded once and their original bits are kept in the ledger, by which undoing gives them back.
    /// </summary>
    public bool Lossless { get; init; }

    /// <summary>Number of threads; all processors by default.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

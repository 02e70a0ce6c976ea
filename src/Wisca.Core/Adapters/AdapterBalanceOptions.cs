using Wisca.Transitions;

namespace Wisca.Adapters;

/// <summary>How an adapter's factors are balanced.</summary>
public sealed record AdapterBalanceOptions
{
    /// <summary>One factor a module, one a rank, or a matrix. A matrix by default: it does what the others do and more.</summary>
    public FactorGranularity Granularity { get; init; } = FactorGranularity.General;

    /// <summary>
    /// Norm, rounding and clamp. The Frobenius norm and exact factors by default; powers of two, which change no bit of the output, exist
    /// for tensor and rank. Of a matrix only the clamp counts.
    /// </summary>
    public BalanceOptions Balance { get; init; } = new(Criterion.L2, FactorRounding.None);

    /// <summary>Number of threads; all processors by default.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

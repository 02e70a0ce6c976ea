using System.Collections.Immutable;

namespace Wisca.Torch.Lora;

/// <summary>One balancing of an adapter in training.</summary>
/// <param name="Step">After how many optimizer steps.</param>
/// <param name="Growth">What |B| was multiplied by, for each module that was balanced: the factor, the geometric mean of a module's
/// factors, or of a matrix the ratio of Frobenius norms.</param>
/// <param name="Skipped">Number of modules that were left alone, because a factor is zero.</param>
/// <param name="Clamped">Number of modules that only came nearer, because a factor was clamped.</param>
/// <param name="Elapsed">How long it took.</param>
public readonly record struct LoraBalanceEvent(long Step, ImmutableArray<double> Growth, int Skipped, int Clamped, TimeSpan Elapsed)
{
    /// <summary>Number of modules whose factors were balanced.</summary>
    public int Balanced => Growth.Length;

    /// <summary>Geometric mean, least and greatest of <see cref="Growth"/>; null where no module was balanced.</summary>
    public (double Mean, double Least, double Greatest)? Factors =>
        Growth.IsEmpty ? null : (Math.Exp(Growth.Average(Math.Log)), Growth.Min(), Growth.Max());
}

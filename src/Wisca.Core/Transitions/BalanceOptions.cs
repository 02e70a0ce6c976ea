namespace Wisca.Transitions;

/// <summary>How factors are found.</summary>
/// <param name="Criterion">The norm to make equal; the paper's sum of absolute values by default.</param>
/// <param name="Rounding">Whether factors become powers of two.</param>
/// <param name="MaxLog2">The largest |log2 s|; beyond it a factor is clamped, which is reported. 6 by default.</param>
/// <param name="Hysteresis">
/// Powers of two only: a group is left alone unless the |log2| of its norms' ratio exceeds 1 by this much. 0 by default; above it, a model
/// that is balanced again and again does not flip between two powers.
/// </param>
public sealed record BalanceOptions(
    Criterion Criterion = Criterion.L1, FactorRounding Rounding = FactorRounding.Auto, double MaxLog2 = 6, double Hysteresis = 0);

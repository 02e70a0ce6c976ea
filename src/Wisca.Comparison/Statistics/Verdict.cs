namespace Wisca.Comparison.Statistics;

/// <summary>What a paired comparison shows.</summary>
public enum Verdict
{
    /// <summary>One pair or none: no interval.</summary>
    TooFewSeeds,

    /// <summary>The interval of the difference includes zero.</summary>
    NoDifferenceShown,

    /// <summary>The interval lies below zero: for losses, better than the baseline.</summary>
    Lower,

    /// <summary>The interval lies above zero: for losses, worse than the baseline.</summary>
    Higher,
}

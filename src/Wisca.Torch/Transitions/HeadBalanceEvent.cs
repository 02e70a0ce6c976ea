namespace Wisca.Torch.Transitions;

/// <summary>One balancing of heads in training.</summary>
/// <param name="Step">Number of optimizer steps before it.</param>
/// <param name="Balanced">Number of spaces of heads that were balanced.</param>
/// <param name="Skipped">Number of those of which a side is zero: no matrix balances them.</param>
/// <param name="Clipped">Number of those where a matrix was kept from stretching further.</param>
/// <param name="Before">How far the sides were from balance, |P - Q| / (|P| + |Q|), the mean over what was balanced.</param>
/// <param name="After">The same after it.</param>
/// <param name="Elapsed">What it took, the verification aside.</param>
public sealed record HeadBalanceEvent(
    long Step, int Balanced, int Skipped, int Clipped, double Before, double After, TimeSpan Elapsed)
{
    /// <summary>The loss on the probe before and after; null where nothing was verified.</summary>
    public (double Before, double After)? Loss { get; init; }
}

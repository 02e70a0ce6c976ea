namespace Wisca.Transitions;

/// <summary>
/// What a joint balance makes as small as factors can: the sum over all weights that take part of |w| (criterion l1) or w^2 (l2). A gain
/// counts as often as it has readers' elements behind it.
/// </summary>
/// <param name="Before">Before.</param>
/// <param name="After">With the factors.</param>
/// <param name="Sweeps">How often all exchanges were balanced in turn until none moved; 1 where none depends on another.</param>
public sealed record BalanceObjective(double Before, double After, int Sweeps);

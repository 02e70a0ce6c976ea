using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>A transition that is not exact, always or under a condition.</summary>
/// <param name="Transitions">Which ones.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="When">The condition; null for always.</param>
/// <param name="Rotating">True where it holds in layers with RoPE only; null for all layers.</param>
public sealed record RefusalTable(
    IReadOnlyList<TransitionKind> Transitions, string Reason, ConditionTable? When = null, bool? Rotating = null)
{
    internal string? Check() =>
        Transitions.Count == 0 || Transitions.Distinct().Count() != Transitions.Count || !Transitions.All(Enum.IsDefined)
            ? "refuse.transitions must name qk, vo or both, once each"
        : string.IsNullOrWhiteSpace(Reason) ? "refuse.reason is empty"
        : Rotating == false ? "refuse.rotating is true, or left out"
        : When?.Check("refuse.when", tensorAllowed: true);
}

using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>A move that is not exact, always or under a condition.</summary>
/// <param name="Reason">Why, for people.</param>
/// <param name="Transitions">Which transitions; null for none.</param>
/// <param name="Stream">True where the residual stream has a basis of its own, so that it cannot be rotated.</param>
/// <param name="When">The condition; null for always.</param>
/// <param name="Rotating">True where it holds in layers with RoPE only; null for all layers.</param>
public sealed record RefusalTable(
    string Reason, IReadOnlyList<TransitionKind>? Transitions = null, bool Stream = false, ConditionTable? When = null,
    bool? Rotating = null)
{
    internal string? Check() =>
        Transitions is null ? Stream ? Rest() : "a rule of refuse has neither transitions nor stream"
        : Transitions.Count == 0 || Transitions.Distinct().Count() != Transitions.Count
            || Transitions.Contains(TransitionKind.LoraFactors)
            ? "refuse.transitions must name qk, vo, ud, ng or qn, once each"
        : Rest();

    private string? Rest() =>
        string.IsNullOrWhiteSpace(Reason) ? "refuse.reason is empty"
        : Rotating == false ? "refuse.rotating is true, or left out"
        : When?.Check("refuse.when", tensorAllowed: true);
}

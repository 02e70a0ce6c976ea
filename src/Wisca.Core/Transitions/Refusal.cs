using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Transitions;

/// <summary>A transition that is not exact, and so is not applied.</summary>
/// <param name="Kind">Which transition.</param>
/// <param name="Layers">In which layers.</param>
/// <param name="Reason">Why.</param>
public sealed record Refusal(TransitionKind Kind, ImmutableArray<int> Layers, string Reason);

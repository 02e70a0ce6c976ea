using System.Collections.Immutable;
using Wisca.Transitions;

namespace Wisca.Inspection;

/// <summary>What is exact of a transition of MLPs or norms, somewhere in a model.</summary>
/// <param name="Exact">The granularities at which something exchanges factors exactly.</param>
/// <param name="Refused">Why the rest does not.</param>
public sealed record TransitionFinding(ImmutableArray<Granularity> Exact, ImmutableArray<string> Refused);

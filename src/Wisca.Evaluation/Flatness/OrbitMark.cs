using Wisca.Transitions;

namespace Wisca.Evaluation.Flatness;

/// <summary>Where a balancing criterion lands on an orbit.</summary>
/// <param name="Criterion">The criterion.</param>
/// <param name="Log2">log2 of its factor before rounding to a power of two; null where it has none.</param>
/// <param name="PredictedPair">The pair's trace there, a / s^2 + b s^2.</param>
/// <param name="Note">A clamp, or why there is no factor.</param>
public sealed record OrbitMark(Criterion Criterion, double? Log2, double? PredictedPair, string? Note);

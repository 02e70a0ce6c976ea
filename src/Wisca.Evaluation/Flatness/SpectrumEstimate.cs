using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>The upper end of the Hessian's spectrum.</summary>
/// <param name="Largest">The largest eigenvalues, the greatest first.</param>
/// <param name="Smallest">The least Ritz value: an upper bound of the least eigenvalue; below zero the point is no minimum.</param>
/// <param name="Products">Number of Hessian-vector products that it took.</param>
/// <param name="Converged">Whether all residuals are within the tolerance.</param>
public sealed record SpectrumEstimate(
    ImmutableArray<EigenvalueEstimate> Largest, EigenvalueEstimate Smallest, int Products, bool Converged);

namespace Wisca.Evaluation.Flatness;

/// <summary>An eigenvalue of the Hessian.</summary>
/// <param name="Value">The Ritz value.</param>
/// <param name="Residual">|H y - value y| of its Ritz vector y: some eigenvalue lies within this distance, up to rounding.</param>
public sealed record EigenvalueEstimate(double Value, double Residual);

namespace Wisca.Evaluation.Scoring;

/// <summary>The answer to a <see cref="LogLikelihoodRequest"/>.</summary>
/// <param name="Sum">Sum of the natural logarithms of the probabilities of the continuation's tokens.</param>
/// <param name="IsGreedy">Whether each of its tokens is the most probable one.</param>
public readonly record struct LogLikelihood(double Sum, bool IsGreedy);

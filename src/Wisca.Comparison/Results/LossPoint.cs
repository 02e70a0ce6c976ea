namespace Wisca.Comparison.Results;

/// <summary>Training loss over some steps.</summary>
/// <param name="Step">The last of the steps.</param>
/// <param name="Tokens">Number of tokens trained on by then.</param>
/// <param name="Loss">Mean negative log-likelihood in nats.</param>
public sealed record LossPoint(long Step, long Tokens, double Loss);

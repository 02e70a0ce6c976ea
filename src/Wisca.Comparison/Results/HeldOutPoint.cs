namespace Wisca.Comparison.Results;

/// <summary>An evaluation on held-out text.</summary>
/// <param name="Step">Number of steps that were done.</param>
/// <param name="Tokens">Number of tokens trained on by then.</param>
/// <param name="Validation">Loss on the text that learning rates are chosen by, in nats.</param>
/// <param name="Test">Loss on the text that is reported, in nats.</param>
public sealed record HeldOutPoint(long Step, long Tokens, double Validation, double Test);

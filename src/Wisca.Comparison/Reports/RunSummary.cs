using Wisca.Comparison.Results;

namespace Wisca.Comparison.Reports;

/// <summary>A finished run among others.</summary>
/// <param name="Id">The run's id: <c>runs/ID/result.json</c> has all of it.</param>
/// <param name="Seed">The seed.</param>
/// <param name="LearningRate">The learning rate after warm-up.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Validation">Loss on the validation text at the end, in nats; null where it diverged.</param>
/// <param name="Test">Loss on the test text at the end, in nats; null where it diverged.</param>
/// <param name="TokensPerSecond">Training tokens per second.</param>
public sealed record RunSummary(
    string Id, long Seed, double LearningRate, RunOutcome Outcome, double? Validation, double? Test, double TokensPerSecond);

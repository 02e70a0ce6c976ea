using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Running;

/// <summary>What a run costs.</summary>
/// <param name="Run">The run.</param>
/// <param name="Finished">True where it is finished.</param>
/// <param name="Tokens">Number of tokens that it trains on; about so many where batches differ in length.</param>
/// <param name="Flops">Floating-point operations of forward and backward pass
/// (<see cref="Training.TrainingCheck.FlopsPerToken"/>), attention aside.</param>
/// <param name="Time">What it takes with one worker's threads.</param>
/// <param name="Measured">True where the time follows from finished runs of the model here, false where it is assumed.</param>
public sealed record RunCost(PlannedRun Run, bool Finished, long Tokens, double Flops, TimeSpan Time, bool Measured);

namespace Wisca.Comparison;

/// <summary>What a run costs.</summary>
/// <param name="Run">The run.</param>
/// <param name="Finished">True where it is finished.</param>
/// <param name="Flops">Floating-point operations of forward and backward pass: 6 x parameters that a token meets x tokens (Kaplan et al. 2020), attention aside.</param>
/// <param name="Time">What it takes with one worker's threads.</param>
/// <param name="Measured">True where the time follows from finished runs of the model here, false where it is assumed.</param>
public sealed record RunCost(PlannedRun Run, bool Finished, double Flops, TimeSpan Time, bool Measured);

namespace Wisca.TrainingBenchmarks;

/// <summary>What was measured of a case: steps, the share of each that its passes took, seconds of transitions, the losses, seconds of
/// rotations and of the covariance of gradients that they go by, and of multiplying and measuring what a transition does.</summary>
internal sealed record Rounds(
    List<Measured> Steps, List<double> Passes, List<Measured> Transitions, List<double> Losses, List<double> Rotations,
    List<double> Covariances, List<Measured> Multiplies, List<Measured> Measures);

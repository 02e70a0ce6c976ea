namespace Wisca.TrainingBenchmarks;

/// <summary>What was measured of a case: steps, the share of each that its passes took, seconds of transitions, and the losses.</summary>
internal sealed record Rounds(List<Measured> Steps, List<double> Passes, List<double> Transitions, List<double> Losses);

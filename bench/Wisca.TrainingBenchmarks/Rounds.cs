namespace Wisca.TrainingBenchmarks;

/// <summary>What was measured of a case: steps, the share of each that its passes took, and seconds of transitions.</summary>
internal sealed record Rounds(List<Measured> Steps, List<double> Passes, List<double> Transitions);

namespace Wisca.Comparison.Results;

/// <summary>The rotations of one kind of space over time; a mean over spaces.</summary>
/// <param name="Kind">The kind: stream, vo, qk or lora.</param>
/// <param name="Steps">Steps that were done at each rotation.</param>
/// <param name="Angle">How far axes moved, in degrees.</param>
/// <param name="Before">The share of the covariance's squared Frobenius norm on its diagonal, before; empty where none is taken.</param>
/// <param name="After">The same after.</param>
public sealed record RotationSeries(
    string Kind, IReadOnlyList<long> Steps, IReadOnlyList<double> Angle, IReadOnlyList<double> Before, IReadOnlyList<double> After);

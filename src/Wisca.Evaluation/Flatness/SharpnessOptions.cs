namespace Wisca.Evaluation.Flatness;

/// <summary>How far and how hard the loss is looked for around a point.</summary>
public sealed record SharpnessOptions
{
    /// <summary>The ball's radius: |e|_2 for plain sharpness, |e / w|_2 elementwise for adaptive. 0.05 by default, SAM's.</summary>
    public double Radius { get; init; } = 0.05;

    /// <summary>True to measure steps against the weights themselves (ASAM), which rescaling does not change. False by default.</summary>
    public bool Adaptive { get; init; }

    /// <summary>Steps of ascent; 1, SAM's own, by default.</summary>
    public int Steps { get; init; } = 1;

    /// <summary>The seed of the direction that is taken where the gradient is zero.</summary>
    public ulong Seed { get; init; }
}

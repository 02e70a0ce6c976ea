using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The learning rate over time.</summary>
public sealed record ScheduleSection : ISettingsSection
{
    /// <summary>
    /// After warm-up: cosine or linear down to the minimum, constant, or wsd: constant and then down over the last steps.
    /// </summary>
    [Setting("After warm-up: cosine or linear down to the minimum, constant, or wsd: constant and then down over the last steps.")]
    public ScheduleKind Name { get; init; } = ScheduleKind.Cosine;

    /// <summary>
    /// Number of steps over which the learning rate rises in a straight line from 0; none for a tenth of the run, at most 100.
    /// </summary>
    [Setting(
        "Number of steps over which the learning rate rises in a straight line from 0; none for a tenth of the run, at most 100.",
        Minimum = 0)]
    public int? Warmup { get; init; }

    /// <summary>The least learning rate as a share of the greatest.</summary>
    [Setting("The least learning rate as a share of the greatest.", Minimum = 0, Maximum = 1)]
    public double MinimumRatio { get; init; } = 0.1;

    /// <summary>
    /// Number of last steps over which the learning rate falls; none for all after warm-up (cosine and linear) or a fifth of all (wsd).
    /// </summary>
    [Setting(
        "Number of last steps over which the learning rate falls; none for all after warm-up (cosine and linear) or a fifth of all (wsd).",
        Minimum = 1)]
    public int? DecaySteps { get; init; }

    /// <summary>The number of steps of the warm-up.</summary>
    /// <param name="steps">Number of steps of the run.</param>
    public int WarmupOf(int steps) => Warmup ?? Math.Min(100, steps / 10);

    /// <summary>The number of last steps over which the learning rate falls.</summary>
    /// <param name="steps">Number of steps of the run.</param>
    public int DecayStepsOf(int steps) => Name switch
    {
        ScheduleKind.Constant => 0,
        ScheduleKind.WarmupStableDecay => DecaySteps ?? Math.Min(steps / 5, steps - WarmupOf(steps)),
        _ => DecaySteps ?? (steps - WarmupOf(steps)),
    };

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (DecaySteps is not null && Name == ScheduleKind.Constant)
            given.Contradict(["decay_steps", "name"], "given for a constant learning rate, expected none");
        return this;
    }
}

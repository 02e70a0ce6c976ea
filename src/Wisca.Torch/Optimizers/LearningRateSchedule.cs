namespace Wisca.Torch.Optimizers;

/// <summary>
/// The learning rate as a pure function of the step: it climbs linearly over the warm-up, stays at its peak, and falls over the last steps.
/// Constant, linear, cosine and WSD (warm-up, stable, decay) schedules differ in how
/// long and in which shape it falls; nothing has to be saved.
/// </summary>
/// <param name="Peak">The highest learning rate; positive.</param>
/// <param name="TotalSteps">Steps of the run; from 1.</param>
public sealed record LearningRateSchedule(double Peak, long TotalSteps)
{
    /// <summary>Steps of the climb: step i of them has Peak * (i + 1) / WarmupSteps. The default is 0.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>The last steps, over which the rate falls; 0, the default, for a rate that stays.</summary>
    public long DecaySteps { get; init; }

    /// <summary>How the rate falls. The default is linear.</summary>
    public DecayShape Shape { get; init; }

    /// <summary>What remains of the peak when all has fallen, in [0, 1]. The default is 0.</summary>
    public double MinimumRatio { get; init; }

    /// <summary>Warm-up, then the peak to the end.</summary>
    public static LearningRateSchedule Constant(double peak, long totalSteps, long warmupSteps = 0) =>
        new(peak, totalSteps) { WarmupSteps = warmupSteps };

    /// <summary>Warm-up, then a straight fall to the end.</summary>
    public static LearningRateSchedule Linear(double peak, long totalSteps, long warmupSteps = 0, double minimumRatio = 0) =>
        WarmupStableDecay(peak, totalSteps, warmupSteps, Math.Max(0, totalSteps - warmupSteps), DecayShape.Linear, minimumRatio);

    /// <summary>Warm-up, then half a cosine to the end.</summary>
    public static LearningRateSchedule Cosine(double peak, long totalSteps, long warmupSteps = 0, double minimumRatio = 0) =>
        WarmupStableDecay(peak, totalSteps, warmupSteps, Math.Max(0, totalSteps - warmupSteps), DecayShape.Cosine, minimumRatio);

    /// <summary>Warm-up, the peak, and a fall over the last steps (WSD).</summary>
    public static LearningRateSchedule WarmupStableDecay(
        double peak,
        long totalSteps,
        long warmupSteps,
        long decaySteps,
        DecayShape shape = DecayShape.OneMinusSqrt,
        double minimumRatio = 0
    ) =>
        new(peak, totalSteps) { WarmupSteps = warmupSteps, DecaySteps = decaySteps, Shape = shape, MinimumRatio = minimumRatio };

    /// <summary>The learning rate of a step.</summary>
    /// <param name="step">Steps already made: 0 for the first. From TotalSteps on the rate is what it has fallen to.</param>
    /// <exception cref="WiscaException">The schedule is not possible; see <see cref="Mistakes"/>.</exception>
    public double At(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (Mistakes() is { Count: > 0 } mistakes)
            throw new WiscaException(
                $"learning-rate schedule: {string.Join("; ", mistakes)}",
                "warm-up and decay are counted in steps, and are part of the run");
        if (step < WarmupSteps) return Peak * (step + 1) / WarmupSteps;
        long begin = TotalSteps - DecaySteps;
        if (DecaySteps == 0 || step < begin) return Peak;
        double p = Math.Min(1, (step - begin) / (double)DecaySteps);
        double share = Shape switch
        {
            DecayShape.Cosine => (1 + Math.Cos(Math.PI * p)) / 2,
            DecayShape.OneMinusSqrt => 1 - Math.Sqrt(p),
            _ => 1 - p,
        };
        return Peak * (MinimumRatio + ((1 - MinimumRatio) * share));
    }

    /// <summary>Everything that is wrong with the schedule, a line each; empty where it is possible.</summary>
    public IReadOnlyList<string> Mistakes()
    {
        var mistakes = new List<string>();
        if (!(Peak > 0) || !double.IsFinite(Peak)) mistakes.Add($"the peak is {Peak}, expected a positive number");
        if (TotalSteps < 1) mistakes.Add($"the run has {TotalSteps} steps, expected 1 or more");
        if (WarmupSteps < 0) mistakes.Add($"the warm-up has {WarmupSteps} steps, expected 0 or more");
        if (DecaySteps < 0) mistakes.Add($"the decay has {DecaySteps} steps, expected 0 or more");
        if (WarmupSteps >= 0 && DecaySteps >= 0 && WarmupSteps + DecaySteps > TotalSteps)
            mistakes.Add($"warm-up ({WarmupSteps} steps) and decay ({DecaySteps}) do not fit into a run of {TotalSteps}");
        if (!(MinimumRatio >= 0 && MinimumRatio <= 1)) mistakes.Add($"the minimum ratio is {MinimumRatio}, expected a number from 0 to 1");
        if (!Enum.IsDefined(Shape)) mistakes.Add($"the shape {Shape} is unknown");
        return mistakes;
    }
}

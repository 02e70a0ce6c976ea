using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Reports;

/// <summary>How many seeds a study needs, given how differences scattered in earlier ones.</summary>
public sealed record PowerReport
{
    /// <summary>What a study is planned for, where nothing else is said: it shows an effect that is there in four of five cases.</summary>
    public const double UsualPower = 0.8;

    private const int FewestSeeds = 2, MostSeeds = 12;

    /// <summary>The arms that scatter is known from, the largest first.</summary>
    public required IReadOnlyList<ArmScatter> Arms { get; init; }

    /// <summary>Standard deviation of paired differences over all of them, in nats, weighted by degrees of freedom.</summary>
    public required double Deviation { get; init; }

    /// <summary>Its degrees of freedom, as if arms were independent; those of a model share a baseline.</summary>
    public required int Degrees { get; init; }

    /// <summary>The upper limit of the deviation, which the true one exceeds in one case of five.</summary>
    public required double UpperDeviation { get; init; }

    /// <summary>The level of one test, two-sided.</summary>
    public required double Level { get; init; }

    /// <summary>Number of comparisons that Holm's adjustment is for; its first level is <see cref="Level"/> by this.</summary>
    public required int Comparisons { get; init; }

    /// <summary>The effect that is asked for: a change of perplexity in percent, downwards.</summary>
    public required double Effect { get; init; }

    /// <summary>The power that is asked for.</summary>
    public required double Power { get; init; }

    /// <summary>Number of seeds that the effect needs, as the first of several comparisons; null for more than a thousand.</summary>
    public required int? Seeds { get; init; }

    /// <summary>The same where scatter is as large as its upper limit.</summary>
    public required int? CautiousSeeds { get; init; }

    /// <summary>What numbers of seeds can show.</summary>
    public required IReadOnlyList<PowerRow> Rows { get; init; }

    /// <summary>The scatter of finished studies and what it takes to show an effect.</summary>
    /// <param name="studies">Earlier studies.</param>
    /// <param name="effect">A change of perplexity in percent, downwards: between 0 and 100.</param>
    /// <param name="comparisons">Number of comparisons that will be made; at least 1.</param>
    /// <param name="power">The power that is asked for, such as <see cref="UsualPower"/>.</param>
    /// <param name="arms">Only arms of these names; empty for all.</param>
    /// <exception cref="WiscaException">No arm of the studies has two pairs with differences that differ.</exception>
    public static PowerReport Of(
        IReadOnlyList<StudyReport> studies, double effect, int comparisons, double power, IReadOnlyCollection<string> arms)
    {
        ArgumentNullException.ThrowIfNull(studies);
        ArgumentNullException.ThrowIfNull(arms);
        List<ArmScatter> scatters =
        [
            .. studies
                .SelectMany(study => study.Models.SelectMany(model => model.Arms.Select(arm => (study, model, arm))))
                .Where(entry => entry.arm.AtBest is not null && (arms.Count == 0 || arms.Contains(entry.arm.Name)))
                .Select(entry => (entry.study, entry.model, entry.arm, entry.arm.AtBest!.Loss))
                .Where(entry => entry.Loss.StandardError > 0)
                .Select(entry => new ArmScatter(
                    entry.study.Name, $"{entry.model.Regime}/{entry.model.Name}", entry.arm.Name, entry.Loss.Differences.Count,
                    entry.Loss.StandardError!.Value * Math.Sqrt(entry.Loss.Differences.Count)))
                .OrderByDescending(scatter => scatter.Deviation),
        ];
        if (scatters.Count == 0)
            throw new WiscaException(
                $"{string.Join(", ", studies.Select(study => study.Name))}: no arm{(arms.Count == 0 ? "" : " of these names")} has two "
                + "seeds beside the baseline's",
                "name folders of studies with at least two seeds, finished");
        int degrees = scatters.Sum(scatter => scatter.Pairs - 1);
        double deviation = Math.Sqrt(scatters.Sum(scatter => (scatter.Pairs - 1) * scatter.Deviation * scatter.Deviation) / degrees),
            upper = PairedPower.UpperScatter(deviation, degrees, 0.8),
            level = 1 - studies[0].Confidence,
            first = level / comparisons,
            nats = -Math.Log(1 - (effect / 100));
        return new PowerReport
        {
            Arms = scatters,
            Deviation = deviation,
            Degrees = degrees,
            UpperDeviation = upper,
            Level = level,
            Comparisons = comparisons,
            Effect = effect,
            Power = power,
            Seeds = PairedPower.Pairs(nats, deviation, first, power),
            CautiousSeeds = PairedPower.Pairs(nats, upper, first, power),
            Rows =
            [
                .. Enumerable.Range(FewestSeeds, MostSeeds - FewestSeeds + 1).Select(seeds => new PowerRow(
                    seeds,
                    Percent(PairedPower.Detectable(deviation, seeds, level, power)),
                    Percent(PairedPower.Detectable(deviation, seeds, first, power)),
                    PairedPower.Of(nats, deviation, seeds, first),
                    PairedPower.Of(nats, upper, seeds, first))),
            ],
        };
    }

    private static double Percent(double nats) => -100 * (Math.Exp(-nats) - 1);
}

using System.Numerics;

namespace Wisca.Comparison.Statistics;

/// <summary>Differences of pairs (arm minus baseline, at the same seed), and what follows from them.</summary>
public sealed record PairedComparison
{
    /// <summary>The fewest pairs for which bootstrap and sign test are computed.</summary>
    public const int ManyPairs = 6;

    private const int Resamples = 10_000;

    /// <summary>The seeds, in order.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    /// <summary>Arm minus baseline, seed by seed.</summary>
    public required IReadOnlyList<double> Differences { get; init; }

    /// <summary>Their mean; NaN without pairs.</summary>
    public required double Mean { get; init; }

    /// <summary>Standard error of the mean; null below two pairs.</summary>
    public double? StandardError { get; init; }

    /// <summary>Paired-t interval of the mean; null below two pairs.</summary>
    public Interval? Interval { get; init; }

    /// <summary>Two-sided p-value of the paired t-test that the mean is zero; null below two pairs.</summary>
    public double? PValue { get; init; }

    /// <summary>Percentile bootstrap interval of the mean; null below <see cref="ManyPairs"/> pairs.</summary>
    public Interval? Bootstrap { get; init; }

    /// <summary>Two-sided p-value of the exact sign test, zeros left out; null below <see cref="ManyPairs"/> pairs.</summary>
    public double? SignTest { get; init; }

    /// <summary>What the interval shows.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Compares pairs.</summary>
    /// <param name="pairs">Seed, value of the arm, value of the baseline; all finite.</param>
    /// <param name="confidence">Of the intervals, such as 0.95.</param>
    public static PairedComparison Of(IEnumerable<(long Seed, double Arm, double Baseline)> pairs, double confidence)
    {
        var compared = Student(pairs, confidence);
        if (compared.Differences.Count < ManyPairs) return compared;
        double[] differences = [.. compared.Differences];
        return compared with { Bootstrap = Resampled(differences, confidence), SignTest = Signs(differences) };
    }

    /// <summary>The same without bootstrap and sign test.</summary>
    internal static PairedComparison Student(IEnumerable<(long Seed, double Arm, double Baseline)> pairs, double confidence)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var ordered = pairs.OrderBy(pair => pair.Seed).ToList();
        double[] differences = [.. ordered.Select(pair => pair.Arm - pair.Baseline)];
        int count = differences.Length;
        double mean = count == 0 ? double.NaN : differences.Sum() / count;
        var comparison = new PairedComparison
        {
            Seeds = [.. ordered.Select(pair => pair.Seed)],
            Differences = differences,
            Mean = mean,
            Verdict = Verdict.TooFewSeeds,
        };
        if (count < 2) return comparison;
        double error = Math.Sqrt(differences.Sum(difference => (difference - mean) * (difference - mean)) / (count - 1) / count);

        // Without any scatter (arms that compute the same) there is nothing to divide by.
        double p = error > 0 ? StudentT.TwoSided(mean / error, count - 1)
            : mean == 0 ? 1
            : 0,
            half = StudentT.Critical(confidence, count - 1) * error;
        var interval = new Interval(mean - half, mean + half);
        return comparison with
        {
            StandardError = error,
            Interval = interval,
            PValue = p,
            Verdict = interval.IncludesZero() ? Verdict.NoDifferenceShown : mean < 0 ? Verdict.Lower : Verdict.Higher,
        };
    }

    /// <summary>Holm's step-down adjustment: the p-values that hold for all of several comparisons together.</summary>
    /// <param name="values">p-values.</param>
    /// <returns>The adjusted ones, in the same order.</returns>
    public static IReadOnlyList<double> Holm(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        double[] adjusted = new double[values.Count];
        double largest = 0;
        foreach (
            var (index, rank) in Enumerable.Range(0, values.Count).OrderBy(index => values[index]).Select((index, rank) => (index, rank)))
        {
            largest = Math.Max(largest, Math.Min(1, (values.Count - rank) * values[index]));
            adjusted[index] = largest;
        }

        return adjusted;
    }

    /// <summary>The percentile bootstrap of the mean, always with the same resamples.</summary>
    private static Interval Resampled(double[] differences, double confidence)
    {
        ulong state = 0x9e3779b97f4a7c15;
        double[] means = new double[Resamples];
        for (int sample = 0; sample < Resamples; sample++)
        {
            double sum = 0;
            for (int i = 0; i < differences.Length; i++)
                sum += differences[(int)Math.BigMul(Next(ref state), (ulong)differences.Length, out _)];
            means[sample] = sum / differences.Length;
        }

        Array.Sort(means);
        double tail = (1 - confidence) / 2;
        return new Interval(means[(int)(tail * (Resamples - 1))], means[(int)Math.Ceiling((1 - tail) * (Resamples - 1))]);
    }

    /// <summary>SplitMix64 (Steele et al. 2014).</summary>
    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    private static double Signs(double[] differences)
    {
        int count = differences.Count(difference => difference != 0),
            fewer = Math.Min(differences.Count(difference => difference < 0), differences.Count(difference => difference > 0));
        BigInteger ways = 1, tail = 1;
        for (int k = 1; k <= fewer; k++)
        {
            ways = ways * (count - k + 1) / k;
            tail += ways;
        }

        return Math.Min(1, 2 * Math.Exp(BigInteger.Log(tail) - (count * Math.Log(2))));
    }
}

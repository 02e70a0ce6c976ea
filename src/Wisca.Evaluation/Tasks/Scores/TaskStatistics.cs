using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Scores;

/// <summary>The harness's statistics: means, standard errors and those of groups.</summary>
internal static class TaskStatistics
{
    /// <summary>The bootstrap's resamples are drawn in chunks of this many, chunk i from a generator with seed i.</summary>
    private const int ChunkSize = 1000;

    /// <summary>The index of the greatest value; the first of several.</summary>
    /// <param name="values">The values.</param>
    public static int ArgMax(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        int best = 0;
        for (int i = 1; i < values.Count; i++)
        {
            if (values[i] > values[best]) best = i;
        }

        return best;
    }

    /// <summary>exp(-mean).</summary>
    /// <param name="logLikelihoods">Natural logarithms of probabilities.</param>
    public static double Perplexity(IReadOnlyCollection<double> logLikelihoods) => Math.Exp(-logLikelihoods.Average());

    /// <summary>Standard error of a mean: the sample's standard deviation (with n - 1) over sqrt(n).
    /// Null for fewer than two values.</summary>
    /// <param name="values">The values.</param>
    public static double? MeanStandardError(IReadOnlyCollection<double> values) =>
        values.Count > 1 ? SampleDeviation(values) / Math.Sqrt(values.Count) : null;

    /// <summary>
    /// Standard error of a perplexity: the standard deviation of the perplexities of resamples, drawn as Python's <c>random.choices</c>
    /// does. Null for fewer than two values.
    /// </summary>
    /// <param name="logLikelihoods">Natural logarithms of probabilities.</param>
    /// <param name="iterations">Number of resamples.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="cancellation">Looked at between chunks of 1000 resamples.</param>
    public static double? PerplexityStandardError(
        IReadOnlyCollection<double> logLikelihoods, int iterations, int threads, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(logLikelihoods);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        if (logLikelihoods.Count < 2) return null;
        double[] values = [.. logLikelihoods];
        int chunk = Math.Min(ChunkSize, iterations), chunks = iterations / chunk;
        double[] resamples = new double[chunks * chunk];
        Parallel.For(0, chunks, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
        {
            var random = new PythonRandom((ulong)i);
            for (int resample = 0; resample < chunk; resample++)
            {
                double sum = 0;
                for (int draw = 0; draw < values.Length; draw++) sum += values[(int)(random.NextDouble() * values.Length)];
                resamples[(i * chunk) + resample] = Math.Exp(-(sum / values.Length));
            }
        });
        return SampleDeviation(resamples);
    }

    /// <summary>The mean of a group's tasks.</summary>
    /// <param name="values">The value of each task.</param>
    /// <param name="sizes">The number of documents of each task.</param>
    /// <param name="weightBySize">Whether a task counts by its number of documents; else each counts the same.</param>
    public static double GroupMean(IReadOnlyList<double> values, IReadOnlyList<int> sizes, bool weightBySize) =>
        weightBySize ? values.Zip(sizes, (value, size) => value * size).Sum() / sizes.Sum() : values.Average();

    /// <summary>The pooled standard error of a group, which goes by the sizes whether or not its mean does;
    /// null where a task has none.</summary>
    /// <param name="standardErrors">The standard error of each task.</param>
    /// <param name="sizes">The number of documents of each task.</param>
    public static double? PooledStandardError(IReadOnlyList<double?> standardErrors, IReadOnlyList<int> sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        if (standardErrors.Contains(null)) return null;
        double sum = 0, total = sizes.Sum(size => (double)size);
        for (int i = 0; i < sizes.Count; i++)
        {
            // A task's variance is n times the square of its standard error.
            double variance = sizes[i] * standardErrors[i]!.Value * standardErrors[i]!.Value;
            sum += (sizes[i] - 1) * variance;
        }

        return Math.Sqrt(sum / (total - sizes.Count) / total);
    }

    private static double SampleDeviation(IReadOnlyCollection<double> values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }
}

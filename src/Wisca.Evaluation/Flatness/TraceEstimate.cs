namespace Wisca.Evaluation.Flatness;

/// <summary>An estimate of a trace.</summary>
/// <param name="Value">The mean over probes.</param>
/// <param name="StandardError">Sample standard deviation over the root of the number of probes.</param>
/// <param name="Probes">Number of probes.</param>
public sealed record TraceEstimate(double Value, double StandardError, int Probes)
{
    internal static TraceEstimate From(IReadOnlyCollection<double> samples)
    {
        double mean = samples.Average();
        double variance = samples.Sum(sample => (sample - mean) * (sample - mean)) / Math.Max(1, samples.Count - 1);
        return new TraceEstimate(mean, Math.Sqrt(variance / samples.Count), samples.Count);
    }

    /// <summary>True where the value is above zero by more than two standard errors.</summary>
    internal bool IsPositive => Value > 2 * StandardError && Value > 0;
}

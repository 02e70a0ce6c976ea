namespace Wisca.Comparison.Statistics;

/// <summary>How many pairs a paired t-test needs (Cohen 1988; the noncentral t distribution by Lenth's series, AS 243).</summary>
public static class PairedPower
{
    // More pairs than anybody makes.
    private const int MostPairs = 1000;

    /// <summary>The probability that a two-sided paired t-test shows a difference that is there.</summary>
    /// <param name="difference">The true mean of the differences.</param>
    /// <param name="scatter">Standard deviation of the differences between pairs; above 0.</param>
    /// <param name="pairs">Number of pairs; at least 2.</param>
    /// <param name="level">The test's level, such as 0.05.</param>
    public static double Of(double difference, double scatter, int pairs, double level)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(scatter);
        ArgumentOutOfRangeException.ThrowIfLessThan(pairs, 2);
        double critical = StudentT.Critical(1 - level, pairs - 1), shift = Math.Abs(difference) / scatter * Math.Sqrt(pairs);
        return StudentT.UpperTail(critical, pairs - 1, shift) + StudentT.UpperTail(critical, pairs - 1, -shift);
    }

    /// <summary>The smallest difference that a test shows with a given probability.</summary>
    /// <param name="scatter">Standard deviation of the differences between pairs; above 0.</param>
    /// <param name="pairs">Number of pairs; at least 2.</param>
    /// <param name="level">The test's level, such as 0.05.</param>
    /// <param name="power">The probability, such as 0.8.</param>
    public static double Detectable(double scatter, int pairs, double level, double power)
    {
        double low = 0, high = scatter;
        while (Of(high, scatter, pairs, level) < power) (low, high) = (high, 2 * high);
        while (high - low > 1e-9 * high)
        {
            double middle = (low + high) / 2;
            if (Of(middle, scatter, pairs, level) < power) low = middle;
            else high = middle;
        }

        return high;
    }

    /// <summary>The number of pairs from which on a test shows a difference with a given probability;
    /// null where no sensible number does.</summary>
    /// <param name="difference">The true mean of the differences; not 0.</param>
    /// <param name="scatter">Standard deviation of the differences between pairs; above 0.</param>
    /// <param name="level">The test's level, such as 0.05.</param>
    /// <param name="power">The probability, such as 0.8.</param>
    public static int? Pairs(double difference, double scatter, double level, double power)
    {
        if (Of(difference, scatter, MostPairs, level) < power) return null;
        int low = 1, high = MostPairs;
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            if (Of(difference, scatter, middle, level) < power) low = middle;
            else high = middle;
        }

        return high;
    }

    /// <summary>The standard deviation that a measured one may stand for: it is exceeded with probability 1 - confidence.</summary>
    /// <param name="scatter">The measured standard deviation.</param>
    /// <param name="degrees">Its degrees of freedom; at least 1.</param>
    /// <param name="confidence">Such as 0.8.</param>
    public static double UpperScatter(double scatter, int degrees, double confidence)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degrees, 1);

        // The value that chi-squared falls below with probability 1 - confidence.
        double low = 0, high = 1;
        while (SpecialFunctions.IncompleteGamma(degrees / 2.0, high / 2) < 1 - confidence) high *= 2;
        for (int i = 0; i < 200 && high - low > 1e-13 * high; i++)
        {
            double middle = (low + high) / 2;
            if (SpecialFunctions.IncompleteGamma(degrees / 2.0, middle / 2) < 1 - confidence) low = middle;
            else high = middle;
        }

        return scatter * Math.Sqrt(degrees / high);
    }
}

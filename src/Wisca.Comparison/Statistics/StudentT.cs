namespace Wisca.Comparison.Statistics;

/// <summary>Student's distribution.</summary>
internal static class StudentT
{
    /// <summary>The probability of a value that is at least as far from 0 as t.</summary>
    /// <param name="t">The statistic.</param>
    /// <param name="degrees">Degrees of freedom; positive.</param>
    public static double TwoSided(double t, double degrees)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(degrees);
        double square = t * t;
        if (double.IsInfinity(square)) return 0;

        // From the side where no digits are lost.
        return square < degrees
            ? 1 - SpecialFunctions.IncompleteBeta(square / (degrees + square), 0.5, degrees / 2)
            : SpecialFunctions.IncompleteBeta(degrees / (degrees + square), degrees / 2, 0.5);
    }

    /// <summary>The value that is exceeded, to either side, with probability 1 - confidence.</summary>
    /// <param name="confidence">Such as 0.95; between 0 and 1.</param>
    /// <param name="degrees">Degrees of freedom; positive.</param>
    public static double Critical(double confidence, double degrees)
    {
        if (confidence is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "not between 0 and 1");
        double low = 0, high = 1;
        while (TwoSided(high, degrees) > 1 - confidence) (low, high) = (high, 2 * high);
        for (int i = 0; i < 200 && high - low > 1e-14 * high; i++)
        {
            double middle = (low + high) / 2;
            if (TwoSided(middle, degrees) > 1 - confidence) low = middle;
            else high = middle;
        }

        return (low + high) / 2;
    }

    /// <summary>The probability that the noncentral distribution is above t (Lenth 1989, AS 243).</summary>
    /// <param name="t">Not negative.</param>
    /// <param name="degrees">Degrees of freedom; positive.</param>
    /// <param name="shift">The noncentrality.</param>
    public static double UpperTail(double t, double degrees, double shift)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(t);
        double x = t * t / ((t * t) + degrees), half = shift * shift / 2, sum = 0;

        // Poisson weights: what is far from their mean adds nothing.
        double width = 12 * Math.Sqrt(half + 1);
        int first = (int)Math.Max(0, half - width), last = (int)(half + width + 40);
        for (int j = first; j <= last && half > 0; j++)
        {
            double log = -half + (j * Math.Log(half));
            sum += (Math.Exp(log - SpecialFunctions.LogGamma(j + 1)) * SpecialFunctions.IncompleteBeta(x, j + 0.5, degrees / 2))
                + (shift / Math.Sqrt(2) * Math.Exp(log - SpecialFunctions.LogGamma(j + 1.5))
                    * SpecialFunctions.IncompleteBeta(x, j + 1, degrees / 2));
        }

        if (half == 0) sum = SpecialFunctions.IncompleteBeta(x, 0.5, degrees / 2);
        return Math.Clamp(1 - SpecialFunctions.NormalUpperTail(shift) - (sum / 2), 0, 1);
    }
}

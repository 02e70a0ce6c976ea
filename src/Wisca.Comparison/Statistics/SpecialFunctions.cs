namespace Wisca.Comparison.Statistics;

/// <summary>The incomplete beta and gamma functions, from which the distributions here are made.</summary>
internal static class SpecialFunctions
{
    // Lanczos' coefficients for g = 7 (Godfrey 2001).
    private static readonly double[] Lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
        -0.13857109526572012, 9.9843695780195716e-6,
        1.5056327351493116e-7,
    ];

    /// <summary>The logarithm of the gamma function of a positive number.</summary>
    public static double LogGamma(double x)
    {
        if (x < 0.5) return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        double sum = Lanczos[0], t = x + 6.5;
        for (int i = 1; i < Lanczos.Length; i++) sum += Lanczos[i] / (x - 1 + i);
        return (0.5 * Math.Log(2 * Math.PI)) + ((x - 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }

    /// <summary>The regularised incomplete beta function I_x(a, b):
    /// DLMF 8.17.22, by Lentz's method, on the side where it converges fast.</summary>
    /// <param name="x">From 0 to 1.</param>
    /// <param name="a">Positive.</param>
    /// <param name="b">Positive.</param>
    public static double IncompleteBeta(double x, double a, double b)
    {
        if (x <= 0) return 0;
        if (x >= 1) return 1;
        if (x > (a + 1) / (a + b + 2)) return 1 - IncompleteBeta(1 - x, b, a);
        double front = Math.Exp((a * Math.Log(x)) + (b * Math.Log(1 - x)) + LogGamma(a + b) - LogGamma(a) - LogGamma(b)) / a;
        const double tiny = 1e-300;
        double c = 1, d = 1 / NotZero(1 - ((a + b) * x / (a + 1))), fraction = d;
        for (int m = 1; m <= 500; m++)
        {
            double even = m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)));
            d = 1 / NotZero(1 + (even * d));
            c = NotZero(1 + (even / c));
            fraction *= c * d;
            double odd = -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / NotZero(1 + (odd * d));
            c = NotZero(1 + (odd / c));
            fraction *= c * d;
            if (Math.Abs((c * d) - 1) < 1e-16) break;
        }

        return front * fraction;

        static double NotZero(double value) => Math.Abs(value) < tiny ? tiny : value;
    }

    /// <summary>The regularised lower incomplete gamma function P(a, x): the series of DLMF 8.7.1, and beyond the peak
    /// one less the continued fraction of 8.9.2, by Lentz's method.</summary>
    /// <param name="a">Positive.</param>
    /// <param name="x">Not negative.</param>
    public static double IncompleteGamma(double a, double x) => x < a + 1 ? Series(a, x) : 1 - Fraction(a, x);

    /// <summary>The probability that a normal deviate is above z.</summary>
    public static double NormalUpperTail(double z)
    {
        double square = z * z / 2, above = square < 1.5 ? 1 - Series(0.5, square) : Fraction(0.5, square);
        return z >= 0 ? above / 2 : 1 - (above / 2);
    }

    private static double Series(double a, double x)
    {
        if (x <= 0) return 0;
        double term = 1 / a, sum = term;
        for (double n = a + 1; term > 1e-17 * sum; n++) sum += term *= x / n;
        return sum * Math.Exp((a * Math.Log(x)) - x - LogGamma(a));
    }

    private static double Fraction(double a, double x)
    {
        double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
        for (int i = 1; i <= 500; i++)
        {
            double numerator = -i * (i - a);
            b += 2;
            d = 1 / ((numerator * d) + b);
            c = b + (numerator / c);
            fraction *= c * d;
            if (Math.Abs((c * d) - 1) < 1e-16) break;
        }

        return fraction * Math.Exp((a * Math.Log(x)) - x - LogGamma(a));
    }
}

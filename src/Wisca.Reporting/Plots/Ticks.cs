using System.Globalization;

namespace Wisca.Reporting.Plots;

/// <summary>Places and labels along an axis. They depend on the range alone, not on the fonts of a machine.</summary>
internal sealed record Ticks(IReadOnlyList<double> Places, IReadOnlyList<string> Labels)
{
    /// <summary>Round numbers within a range, about as many as wanted: multiples of 1, 2 or 5 times a power of ten.</summary>
    /// <param name="low">Where the range begins.</param>
    /// <param name="high">Where it ends, above its beginning by more than the last digits of either.</param>
    /// <param name="wanted">How many parts the ticks should divide the range into, about.</param>
    /// <param name="whole">True for whole numbers alone.</param>
    public static Ticks Round(double low, double high, int wanted, bool whole = false)
    {
        double rough = (high - low) / wanted, power = Power((int)Math.Floor(Math.Log10(rough)));
        double step = power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        if (whole) step = Math.Max(step, 1);
        long first = (long)Math.Ceiling((low / step) - 1e-9), last = (long)Math.Floor((high / step) + 1e-9);
        double[] places = [.. Enumerable.Range(0, (int)(last - first) + 1).Select(index => (first + index) * step)];
        double largest = places.Select(Math.Abs).DefaultIfEmpty().Max();
        var (unit, letter) = largest switch
        {
            >= 1e12 or < 1e4 => (1, ""),
            >= 1e9 => (1e9, "G"),
            >= 1e6 => (1e6, "M"),
            _ => (1e3, "k"),
        };
        if (Decimals(step / unit) > 3) (unit, letter) = (1, "");
        string format = largest is < 1e-4 or >= 1e12 ? "0.############e0" : unit == 1 ? $"F{Decimals(step)}" : "0.###";
        return new Ticks(
            places,
            [
                .. places.Select(place =>
                    place == 0 && format[0] == '0' ? "0" : (place / unit).ToString(format, CultureInfo.InvariantCulture) + letter),
            ]);
    }

    /// <summary>The decimals that multiples of a step need.</summary>
    private static int Decimals(double step) => Math.Max(0, (int)Math.Ceiling(-Math.Log10(step) - 1e-9));

    /// <summary>A power of ten, the nearest number to it on every machine.</summary>
    private static double Power(int exponent) => double.Parse($"1e{exponent}", CultureInfo.InvariantCulture);
}

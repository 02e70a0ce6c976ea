using System.Globalization;

namespace Wisca.Reporting.Plots;

/// <summary>Places and labels along an axis. They depend on the range alone, not on the fonts of a machine.</summary>
internal sealed record Ticks(IReadOnlyList<double> Places, IReadOnlyList<string> Labels)
{
    /// <summary>Round numbers within a range, about as many as wanted.</summary>
    public static Ticks Round(double low, double high, int wanted)
    {
        double rough = (high - low) / wanted, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        long first = (long)Math.Ceiling((low / step) - 1e-9), last = (long)Math.Floor((high / step) + 1e-9);
        double[] places = [.. Enumerable.Range(0, (int)(last - first) + 1).Select(index => (first + index) * step)];
        int decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 9);
        var (unit, letter) = places.Select(Math.Abs).DefaultIfEmpty().Max() switch
        {
            >= 1e9 => (1e9, "G"),
            >= 1e6 => (1e6, "M"),
            >= 1e4 => (1e3, "k"),
            _ => (1, ""),
        };
        return new Ticks(
            places,
            [
                .. places.Select(place =>
                    unit == 1 ? place.ToString($"F{decimals}", CultureInfo.InvariantCulture)
                    : place == 0 ? "0"
                    : (place / unit).ToString("0.###", CultureInfo.InvariantCulture) + letter),
            ]);
    }
}

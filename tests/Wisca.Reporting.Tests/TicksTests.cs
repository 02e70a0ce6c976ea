using System.Globalization;
using CsCheck;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Tests;

public sealed class TicksTests
{
    [Theory]
    [InlineData(0, 1, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(-0.0131, 0.0092, "-0.010 -0.005 0.000 0.005")]
    [InlineData(0, 1_536_000, "0 0.2M 0.4M 0.6M 0.8M 1M 1.2M 1.4M")]
    [InlineData(1.93, 1.9302, "1.93000 1.93005 1.93010 1.93015 1.93020")]
    [InlineData(9_999.8, 10_001, "9999.8 10000.0 10000.2 10000.4 10000.6 10000.8 10001.0")]
    [InlineData(-0.00002, 0.00002, "-2e-5 -1e-5 0 1e-5 2e-5")]
    [InlineData(0, 3e13, "0 5e12 1e13 1.5e13 2e13 2.5e13 3e13")]
    public void Round_Range_GivesRoundPlacesWithinIt(double low, double high, string labels)
    {
        var ticks = Ticks.Round(low, high, 5);
        string.Join(' ', ticks.Labels).ShouldBe(labels);
        ticks.Places.ShouldAllBe(place => place >= low - 1e-9 && place <= high + 1e-9);
    }

    /// <summary>What a reader asks of ticks, whatever the range, from the nearly empty to the nearly infinite.</summary>
    [Fact]
    public void Round_AnyRange_GivesEvenlySpacedRoundPlacesThatTheirLabelsName() => Gen.Select(
            Gen.Double[-299, 299], Gen.Double[1, 10], Gen.Double[-9, 0], Gen.Bool, Gen.Int[1, 5])
        .Sample(
            (exponent, mantissa, narrow, negative, wanted) =>
            {
                double edge = (negative ? -1 : 1) * mantissa * Math.Pow(10, exponent);
                double width = Math.Abs(edge) * 2 * Math.Pow(10, narrow), low = negative ? edge : edge - width, high = low + width;
                var ticks = Ticks.Round(low, high, wanted);

                // At most the thresholds between 1, 2, 5 and 10 away from what is wanted, and one more for both ends.
                ticks.Places.Count.ShouldBeInRange((int)Math.Floor(wanted * 0.7), (int)Math.Ceiling(wanted * 1.75) + 1);
                ticks.Labels.Count.ShouldBe(ticks.Places.Count);
                ticks.Labels.ShouldBeUnique();
                // Not ShouldAllBe, which compiles an expression each time: most of what this took.
                ticks.Labels.All(label => label.Length <= 20).ShouldBeTrue();
                if (ticks.Places.Count < 2) return;
                double rough = (ticks.Places[^1] - ticks.Places[0]) / (ticks.Places.Count - 1);
                double power = Math.Pow(10, Math.Floor(Math.Log10(rough) + 1e-6)), digit = Math.Round(rough / power);
                new[] { 1.0, 2, 5 }.ShouldContain(digit);
                double step = digit * power, slack = 1e-4 * step;
                rough.ShouldBe(step, slack);
                for (int i = 0; i < ticks.Places.Count; i++)
                {
                    (ticks.Places[i] / step).ShouldBe(Math.Round(ticks.Places[i] / step), 1e-4, "a multiple of the step");
                    ticks.Places[i].ShouldBe(ticks.Places[0] + (i * step), slack);
                    Value(ticks.Labels[i]).ShouldBe(ticks.Places[i], slack, ticks.Labels[i]);
                }

                ticks.Places[0].ShouldBeInRange(low - slack, low + step + slack, "none is left out at the lower end");
                ticks.Places[^1].ShouldBeInRange(high - step - slack, high + slack, "nor at the upper");
            },
            iter: 20_000);

    [Theory]
    [InlineData(-0.001, 0.001, "0")]
    [InlineData(2.9, 4.1, "3 4")]
    [InlineData(-2.5, 52.5, "0 10 20 30 40 50")]
    public void Round_Whole_GivesWholeNumbers(double low, double high, string labels) =>
        string.Join(' ', Ticks.Round(low, high, 5, whole: true).Labels).ShouldBe(labels);

    private static double Value(string label)
    {
        double unit = label[^1] switch { 'k' => 1e3, 'M' => 1e6, 'G' => 1e9, _ => 1 };
        return double.Parse(unit == 1 ? label : label[..^1], CultureInfo.InvariantCulture) * unit;
    }
}

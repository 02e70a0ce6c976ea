using CsCheck;
using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Tests.Statistics;

public sealed class StudentTTests
{
    /// <summary>The table that every book has (two-sided; Fisher and Yates, also NIST's handbook 1.3.6.7.2).</summary>
    [Theory]
    [InlineData(1, 0.95, 12.706)]
    [InlineData(2, 0.95, 4.303)]
    [InlineData(3, 0.95, 3.182)]
    [InlineData(4, 0.95, 2.776)]
    [InlineData(5, 0.95, 2.571)]
    [InlineData(9, 0.95, 2.262)]
    [InlineData(30, 0.95, 2.042)]
    [InlineData(100, 0.95, 1.984)]
    [InlineData(1, 0.99, 63.657)]
    [InlineData(2, 0.99, 9.925)]
    [InlineData(10, 0.99, 3.169)]
    [InlineData(2, 0.90, 2.920)]
    [InlineData(5, 0.999, 6.869)]
    [InlineData(60, 0.80, 1.296)]
    public void Critical_OfTheTables_IsTheirs(int degrees, double confidence, double expected) =>
        StudentT.Critical(confidence, degrees).ShouldBe(expected, 0.00051);

    /// <summary>With one and two degrees of freedom there are closed forms.</summary>
    [Fact]
    public void TwoSided_OneAndTwoDegrees_IsTheClosedForm() => Gen.Double[0, 200].Sample(
        t =>
        {
            StudentT.TwoSided(t, 1).ShouldBe(1 - (2 / Math.PI * Math.Atan(t)), 1e-12);
            StudentT.TwoSided(t, 2).ShouldBe(1 - (t / Math.Sqrt(2 + (t * t))), 1e-12);
            StudentT.TwoSided(-t, 2).ShouldBe(StudentT.TwoSided(t, 2));
        },
        iter: 500);

    /// <summary>The integral of the density, by Simpson's rule.</summary>
    [Fact]
    public void TwoSided_AnyDegrees_IsTheIntegralOfTheDensity() => Gen.Select(Gen.Double[0, 8], Gen.Int[1, 40]).Sample(
        (t, degrees) =>
        {
            const int intervals = 2000;
            double Density(double x) => Math.Pow(1 + (x * x / degrees), -(degrees + 1) / 2.0);
            double Integral(double from, double to)
            {
                double width = (to - from) / intervals;
                return Enumerable
                        .Range(0, intervals + 1)
                        .Sum(i =>
                            (
                                i is 0 or intervals ? 1
                                : i % 2 == 1 ? 4
                                : 2
                            ) * Density(from + (i * width)))
                    * width
                    / 3;
            }

            // Divided by the whole, which x = tan(u) makes finite.
            double Bent(double u) => Density(Math.Tan(u)) / (Math.Cos(u) * Math.Cos(u));
            double w = Math.PI / 2 / intervals, whole = Enumerable.Range(0, intervals).Sum(i => Bent((i + 0.5) * w)) * w;
            StudentT.TwoSided(t, degrees).ShouldBe(1 - (Integral(0, t) / whole), 2e-6);
        },
        iter: 200);

    [Fact]
    public void Critical_AnyConfidence_IsTheInverse() =>
        Gen.Select(Gen.Double[0.5, 0.9999], Gen.Int[1, 200])
            .Sample(
                (confidence, degrees) => StudentT.TwoSided(StudentT.Critical(confidence, degrees), degrees).ShouldBe(1 - confidence, 1e-9),
                iter: 500);

    [Fact]
    public void Of_OutOfRange_IsRefused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => StudentT.TwoSided(1, 0));
        Should.Throw<ArgumentOutOfRangeException>(() => StudentT.Critical(1, 3));
        StudentT.TwoSided(double.PositiveInfinity, 3).ShouldBe(0);
    }
}

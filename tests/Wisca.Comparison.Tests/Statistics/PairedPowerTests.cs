using CsCheck;
using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Tests.Statistics;

public sealed class PairedPowerTests
{
    /// <summary>The definition, a normal deviate over a chi, integrated by mpmath 1.3 to 30 digits.</summary>
    [Theory]
    [InlineData(2.5706, 5, 0, 0.024999448940039)]
    [InlineData(2.5706, 5, 2.5, 0.522584956223353)]
    [InlineData(2.5706, 5, -1, 0.00254772234177861)]
    [InlineData(4.3027, 2, 3, 0.3873833643485)]
    [InlineData(12.7062, 1, 8, 0.469781822655719)]
    [InlineData(2.201, 11, 12.5, 1.0)]
    [InlineData(3.5, 5, 40, 1.0)]
    [InlineData(2, 29, -0.5, 0.00811241088155638)]
    public void UpperTail_Noncentral_IsTheIntegral(double t, double degrees, double shift, double expected) =>
        StudentT.UpperTail(t, degrees, shift).ShouldBe(expected, 1e-12);

    [Fact]
    public void IncompleteGammaAndNormal_AreThoseOfMpmath()
    {
        SpecialFunctions.IncompleteGamma(2.5, 1.25).ShouldBe(0.22350492887667729, 1e-14);
        SpecialFunctions.IncompleteGamma(2.5, 9).ShouldBe(0.99705359541211971, 1e-14);
        SpecialFunctions.NormalUpperTail(1.5).ShouldBe(0.066807201268858066, 1e-15);
        SpecialFunctions.NormalUpperTail(8).ShouldBe(6.2209605742717841e-16, 1e-27);
        SpecialFunctions.NormalUpperTail(-1.5).ShouldBe(1 - 0.066807201268858066, 1e-15);
        SpecialFunctions.NormalUpperTail(0).ShouldBe(0.5);
    }

    [Fact]
    public void Of_NoDifference_IsTheLevel() => Gen.Select(Gen.Int[2, 40], Gen.Double[0.001, 0.3], Gen.Double[0.01, 10]).Sample(
        (pairs, level, scatter) => PairedPower.Of(0, scatter, pairs, level).ShouldBe(level, 1e-10), iter: 200);

    /// <summary>Tests that are made: how many of them show the difference.</summary>
    [Theory]
    [InlineData(0.05, 0.03, 3, 0.05)]
    [InlineData(0.05, 0.05, 6, 0.05)]
    [InlineData(-0.02, 0.03, 6, 0.005)]
    public void Of_ADifference_IsTheShareOfTestsThatShowIt(double difference, double scatter, int pairs, double level)
    {
        const int tests = 40_000;
        var random = new Random(1);
        int shown = 0;
        for (int test = 0; test < tests; test++)
        {
            double[] sample = [.. Enumerable.Range(0, pairs).Select(_ => difference + (scatter * Normal(random)))];
            var compared = PairedComparison.Student(sample.Select((value, seed) => ((long)seed, value, 0.0)), 0.95);
            if (compared.PValue < level) shown++;
        }

        // Four standard errors of the share.
        PairedPower.Of(difference, scatter, pairs, level).ShouldBe(shown / (double)tests, 4 * 0.5 / Math.Sqrt(tests));
    }

    [Fact]
    public void PairsAndDetectable_AreTheInverseOfPower() =>
        Gen.Select(Gen.Double[0.005, 0.1], Gen.Double[0.01, 0.1], Gen.Double[0.001, 0.1]).Sample(
            (difference, scatter, level) =>
            {
                if (PairedPower.Pairs(difference, scatter, level, 0.8) is not { } pairs) return;
                PairedPower.Of(difference, scatter, pairs, level).ShouldBeGreaterThanOrEqualTo(0.8);
                if (pairs > 2) PairedPower.Of(difference, scatter, pairs - 1, level).ShouldBeLessThan(0.8);
                PairedPower.Of(PairedPower.Detectable(scatter, pairs, level, 0.8), scatter, pairs, level).ShouldBe(0.8, 1e-6);
                PairedPower.Detectable(scatter, pairs, level, 0.8).ShouldBeLessThanOrEqualTo(difference * (1 + 1e-6));
            },
            iter: 60);

    [Fact]
    public void Pairs_EffectThatIsNoneAgainstTheScatter_IsNull() => PairedPower.Pairs(1e-6, 1, 0.05, 0.8).ShouldBeNull();

    /// <summary>Chi-squared at 20 % is 1.005, 2.343 and 6.179 for 3, 5 and 10 degrees of freedom, as the tables have it.</summary>
    [Theory]
    [InlineData(3, 1.005)]
    [InlineData(5, 2.343)]
    [InlineData(10, 6.179)]
    public void UpperScatter_IsThatOfChiSquared(int degrees, double quantile) =>
        PairedPower.UpperScatter(2, degrees, 0.8).ShouldBe(2 * Math.Sqrt(degrees / quantile), 2e-3);

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

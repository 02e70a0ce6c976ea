using CsCheck;
using Wisca.Comparison.Statistics;

namespace Wisca.Comparison.Tests.Statistics;

public sealed class PairedComparisonTests
{
    private static PairedComparison Of(params double[] differences) =>
        PairedComparison.Of(differences.Select((difference, index) => ((long)index, 3 + difference, 3.0)), 0.95);

    private static PairedComparison Student(double[] differences) =>
        PairedComparison.Student(differences.Select((difference, index) => ((long)index, 3 + difference, 3.0)), 0.95);

    /// <summary>Differences of seeds with a known mean: what a study measures is that plus normal noise.</summary>
    private static double[] Simulated(Random random, int seeds, double mean) =>
        [
            .. Enumerable
                .Range(0, seeds)
                .Select(_ =>
                    mean + (0.01 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))),
        ];

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(10)]
    public void Interval_TwoThousandStudies_CoversTheTruth(int seeds)
    {
        const int studies = 2000;
        const double truth = -0.02;
        var random = new Random(seeds);
        int covered = 0, found = 0, falselyFound = 0;
        for (int study = 0; study < studies; study++)
        {
            var interval = Student(Simulated(random, seeds, truth)).Interval.ShouldNotBeNull();
            if (interval.Low <= truth && truth <= interval.High) covered++;
            if (interval.High < 0) found++;
            if (Student(Simulated(random, seeds, 0)).Verdict != Verdict.NoDifferenceShown) falselyFound++;
        }

        (covered / (double)studies).ShouldBeInRange(0.93, 0.97);
        (falselyFound / (double)studies).ShouldBeInRange(0.03, 0.07);

        // A difference of twice the noise is found more often the more seeds there are.
        (found / (double)studies).ShouldBeGreaterThan(seeds switch { 3 => 0.3, 5 => 0.85, _ => 0.99 });
    }

    /// <summary>Student's own data: hours of sleep gained by ten patients with two drugs (Biometrika 1908).</summary>
    [Fact]
    public void Of_StudentsSleep_IsTheKnownResult()
    {
        double[] first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
            second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        var compared = PairedComparison.Of(first.Zip(second).Select((pair, index) => ((long)index, pair.First, pair.Second)), 0.95);
        compared.Mean.ShouldBe(-1.58, 1e-12);
        (compared.Mean / compared.StandardError!.Value).ShouldBe(-4.0621, 5e-5);
        compared.PValue!.Value.ShouldBe(0.002833, 5e-7);
        compared.Interval!.Low.ShouldBe(-2.4598858, 5e-7);
        compared.Interval.High.ShouldBe(-0.7001142, 5e-7);
        compared.Verdict.ShouldBe(Verdict.Lower);

        // Nine of nine differences that are not zero have one sign: 2 / 2^9.
        compared.SignTest!.Value.ShouldBe(2 / 512.0, 1e-12);
        compared.Bootstrap!.Low.ShouldBeInRange(-2.4, -2.2);
        compared.Bootstrap.High.ShouldBeInRange(-1.0, -0.8);
    }

    [Theory]
    [InlineData(new double[0], Verdict.TooFewSeeds)]
    [InlineData(new[] { -1.0 }, Verdict.TooFewSeeds)]
    [InlineData(new[] { -1.0, -1.1, -0.9 }, Verdict.Lower)]
    [InlineData(new[] { 1.0, 1.1, 0.9 }, Verdict.Higher)]
    [InlineData(new[] { 1.0, -1.1, 0.9 }, Verdict.NoDifferenceShown)]
    [InlineData(new[] { 0.0, 0.0, 0.0 }, Verdict.NoDifferenceShown)]
    public void Of_SomeDifferences_ShowsWhatTheyShow(double[] differences, Verdict verdict)
    {
        var compared = Of(differences);
        compared.Verdict.ShouldBe(verdict);
        (compared.Interval is null).ShouldBe(differences.Length < 2);
        (compared.Bootstrap is null && compared.SignTest is null).ShouldBeTrue();
        if (differences.Length >= 2 && differences.All(difference => difference == 0)) compared.PValue.ShouldBe(1);
    }

    [Fact]
    public void SignTest_OfSixSeeds_IsExact()
    {
        Of(-1, -2, -3, -4, -5, -6).SignTest!.Value.ShouldBe(2 / 64.0, 1e-12);
        Of(-1, -2, -3, -4, -5, 6).SignTest!.Value.ShouldBe(2 * 7 / 64.0, 1e-12);
        Of(-1, -2, -3, 4, 5, 6).SignTest.ShouldBe(1);
        Of(0, 0, 0, 0, 0, 0).SignTest.ShouldBe(1);
    }

    [Fact]
    public void Of_AnyPairs_IsEquivariant() => Gen.Double[-1, 1].Array[2, 12].Where(values => values.Distinct().Count() > 1).Sample(
        differences =>
        {
            var compared = Of(differences);
            PairedComparison shifted = Of([.. differences.Select(difference => difference + 0.5)]),
                turned = Of([.. differences.Select(difference => -difference)]),
                scaled = Of([.. differences.Select(difference => 4 * difference)]);
            shifted.Interval!.Low.ShouldBe(compared.Interval!.Low + 0.5, 1e-9);
            turned.Interval!.High.ShouldBe(-compared.Interval.Low, 1e-9);
            scaled.Interval!.High.ShouldBe(4 * compared.Interval.High, 1e-8);
            turned.PValue!.Value.ShouldBe(compared.PValue!.Value, 1e-9);

            // The interval includes zero exactly where p is above 5 %.
            if (Math.Abs(compared.PValue.Value - 0.05) > 1e-9) compared.Interval.IncludesZero().ShouldBe(compared.PValue > 0.05);
            if (compared.Bootstrap is { } bootstrap)
                (
                    bootstrap.Low >= differences.Min() - 1e-12
                    && bootstrap.High <= differences.Max() + 1e-12
                    && bootstrap.Low <= compared.Mean
                    && compared.Mean <= bootstrap.High
                ).ShouldBeTrue();
            Of(differences).Bootstrap.ShouldBe(compared.Bootstrap);
        },
        iter: 100);

    [Fact]
    public void Holm_PublishedExample_IsAdjustedStepByStep() =>
        PairedComparison
            .Holm([0.01, 0.04, 0.03, 0.005])
            .Zip([0.03, 0.06, 0.06, 0.02])
            .ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) < 1e-12);

    [Fact]
    public void Holm_AnyValues_KeepTheirOrderAndAreBetweenThemselvesAndBonferronis() => Gen.Double[0, 1].Array[1, 10].Sample(
        values =>
        {
            var adjusted = PairedComparison.Holm(values);
            for (int i = 0; i < values.Length; i++)
            {
                adjusted[i].ShouldBeInRange(values[i], Math.Min(1, values.Length * values[i]) + 1e-15);
                for (int j = 0; j < values.Length; j++) if (values[i] < values[j]) adjusted[i].ShouldBeLessThanOrEqualTo(adjusted[j]);
            }
        },
        iter: 300);
}

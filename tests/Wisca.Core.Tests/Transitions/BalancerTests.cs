using CsCheck;
using Wisca.Attention;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>The factors, from statistics alone.</summary>
public sealed class BalancerTests
{
    private static readonly Gen<double> Norm = Gen.Double[-20, 20].Select(exponent => Math.Pow(2, exponent));

    [Fact]
    public void Solve_ExactFactor_MinimisesTheSumOfTheNorms()
    {
        Gen.Select(Norm, Norm).Sample((multiplied, divided) =>
        {
            var balance = Solve(multiplied, divided, FactorRounding.None, maxLog2: 100);
            double best = (balance.Factor * multiplied) + (divided / balance.Factor);
            for (double log2 = -25; log2 <= 25; log2 += 0.125)
            {
                double s = Math.Pow(2, log2);
                best.ShouldBeLessThanOrEqualTo(((s * multiplied) + (divided / s)) * (1 + 1e-12));
            }

            best.ShouldBe(2 * Math.Sqrt(multiplied * divided), 1e-12 * best);
            (balance.Factor * multiplied / (divided / balance.Factor)).ShouldBe(1, 1e-12);
        });
    }

    [Fact]
    public void Solve_PowerOfTwo_IsTheNearestAndLeavesARatioWithinTwo()
    {
        Gen.Select(Norm, Norm).Sample((multiplied, divided) =>
        {
            var balance = Solve(multiplied, divided, FactorRounding.PowerOfTwo, maxLog2: 100);
            double.IsPow2(balance.Factor).ShouldBeTrue();
            double residual = balance.Factor * multiplied / (divided / balance.Factor);
            residual.ShouldBeInRange(0.5 * (1 - 1e-12), 2 * (1 + 1e-12));
            balance.Outcome.ShouldBe(balance.Factor == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled);

            // What is as near as a power of two brings it stays where it is; half-way between two of them, either is as near.
            if (Math.Abs(Math.Abs(Math.Log2(residual)) - 1) < 1e-12) return;
            Solve(balance.Factor * multiplied, divided / balance.Factor, FactorRounding.PowerOfTwo).Factor.ShouldBe(1);
        });
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(8, 2)]
    [InlineData(32, 2)]
    [InlineData(128, 4)]
    [InlineData(0.5, 0)]
    [InlineData(0.125, -2)]
    [InlineData(0.03125, -2)]
    public void Solve_PowerOfTwoHalfway_GoesToTheEvenExponent(double ratio, int exponent) =>
        Solve(1, ratio, FactorRounding.PowerOfTwo).Factor.ShouldBe(Math.ScaleB(1, exponent));

    [Fact]
    public void Solve_SecondTime_ChangesNothing()
    {
        Gen.Select(Norm, Norm).Sample((multiplied, divided) =>
        {
            double s = Solve(multiplied, divided, FactorRounding.None, maxLog2: 100).Factor;
            Solve(multiplied * s, divided / s, FactorRounding.None, maxLog2: 100).Factor.ShouldBe(1, 1e-12);
        });
    }

    [Theory]
    [InlineData(FactorRounding.None)]
    [InlineData(FactorRounding.PowerOfTwo)]
    public void Solve_ZeroNorm_SkipsTheGroupAndSaysSo(FactorRounding rounding)
    {
        foreach (var (multiplied, divided) in ((double, double)[])[(0, 1), (1, 0), (0, 0)])
        {
            var balance = Solve(multiplied, divided, rounding);
            balance.Factor.ShouldBe(1);
            balance.Outcome.ShouldBe(GroupOutcome.Skipped);
            balance.Note.ShouldBe("one side is all zeros");
        }
    }

    [Fact]
    public void Solve_FactorBeyondTheClamp_IsClampedAndReported()
    {
        Gen.Select(Norm, Norm, Gen.Double[0.1, 8], Gen.Bool).Sample((multiplied, divided, maxLog2, powerOfTwo) =>
        {
            double wanted = 0.5 * Math.Log2(divided / multiplied);
            var balance = Solve(multiplied, divided, powerOfTwo ? FactorRounding.PowerOfTwo : FactorRounding.None, maxLog2);
            double log2 = Math.Log2(balance.Factor);
            Math.Abs(log2).ShouldBeLessThanOrEqualTo(maxLog2 + 1e-12);
            (balance.Note is not null).ShouldBe(Math.Abs(wanted) > maxLog2);
            if (balance.Note is not null) balance.Note.ShouldContain("clamped");
            if (balance.Note is not null && !powerOfTwo) log2.ShouldBe(Math.Sign(wanted) * maxLog2, 1e-9);
        });
    }

    [Theory]
    [InlineData(Criterion.L1, -0.5)]
    [InlineData(Criterion.L1Mean, 0)]
    [InlineData(Criterion.L2, -0.25)]
    [InlineData(Criterion.Rms, 0)]
    public void Solve_GroupedQueriesOfOneElementScale_FactorIsAPowerOfTheSharing(Criterion criterion, double exponent)
    {
        foreach (int sharing in (int[])[1, 2, 4, 8])
        {
            var layout = TinyLayout.Create(heads: 2 * sharing, kvHeads: 2, headDim: 4, rotaryDims: 4);
            foreach (var granularity in (Granularity[])[Granularity.Tensor, Granularity.KvHead, Granularity.Pair])
            {
                var exchange = TinyLayout.Exchange(layout, TransitionKind.QueryKey, granularity);
                var statistics = new Dictionary<string, AxisStatistics>
                {
                    ["q.weight"] = Constant(8 * sharing),
                    ["k.weight"] = Constant(8),
                };
                Balancer.Solve(exchange, new Typed(Dtype.F32), slice => statistics[slice.Tensor], new BalanceOptions(criterion))
                    .ShouldAllBe(balance => Math.Abs(balance.Factor - Math.Pow(sharing, exponent)) < 1e-12);
            }

            // Values have one row where the output has a column for every query head.
            var values = TinyLayout.Exchange(layout, TransitionKind.ValueOutput, Granularity.Channel);
            var both = new Dictionary<string, AxisStatistics> { ["v.weight"] = Constant(8), ["o.weight"] = Constant(8 * sharing) };
            Balancer.Solve(values, new Typed(Dtype.F32), slice => both[slice.Tensor], new BalanceOptions(criterion))
                .ShouldAllBe(balance => Math.Abs(balance.Factor - Math.Pow(sharing, -exponent)) < 1e-12);
        }

        static AxisStatistics Constant(int length) =>
            new(Filled(length, 32 * 0.25), Filled(length, 32 * 0.0625), Filled(length, 0.25), Filled(length, 0.25), 32);
    }

    [Theory]
    [InlineData(Dtype.F32, false)]
    [InlineData(Dtype.F64, false)]
    [InlineData(Dtype.BF16, true)]
    [InlineData(Dtype.F16, true)]
    public void Solve_AutomaticRounding_IsPowersOfTwoForSixteenBits(Dtype dtype, bool powersOfTwo)
    {
        var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
        var statistics = new Dictionary<string, AxisStatistics> { ["q.weight"] = One(1), ["k.weight"] = One(3) };
        var solved = Balancer.Solve(exchange, new Typed(dtype), slice => statistics[slice.Tensor], new BalanceOptions());
        double.IsPow2(solved[0].Factor).ShouldBe(powersOfTwo);
    }

    /// <summary>A factor that is exact in one of two types must be a power of two already for the coarser one.</summary>
    [Theory]
    [InlineData(Dtype.BF16, Dtype.F32, true)]
    [InlineData(Dtype.F32, Dtype.F16, true)]
    [InlineData(Dtype.F64, Dtype.F32, false)]
    public void Solve_AutomaticRoundingOfMixedTypes_IsThatOfTheCoarsest(Dtype query, Dtype key, bool powersOfTwo)
    {
        var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
        var statistics = new Dictionary<string, AxisStatistics> { ["q.weight"] = One(1), ["k.weight"] = One(3) };
        var source = new Typed(tensor => tensor == "q.weight" ? query : key);
        var solved = Balancer.Solve(exchange, source, slice => statistics[slice.Tensor], new BalanceOptions());
        double.IsPow2(solved[0].Factor).ShouldBe(powersOfTwo);
    }

    [Fact]
    public void Solve_Fisher_MinimisesTheTraceOfTheCurvature() =>
        Gen.Select(Gen.Double[1e-9, 1e3], Gen.Double[1e-9, 1e3]).Sample((a, b) =>
        {
            // Second moments follow the weights as 1/s^2, so the trace along the orbit is a / s^2 + b s^2.
            double s = Fisher(a, b).Factor;
            double Trace(double factor) => (a / (factor * factor)) + (b * factor * factor);
            (a / (s * s)).ShouldBe(b * s * s, 1e-9 * b * s * s);
            foreach (double other in (double[])[0.9, 0.999, 1.001, 1.1]) Trace(s * other).ShouldBeGreaterThan(Trace(s));
        });

    /// <summary>Behind a squared activation the other side is divided by s^2.</summary>
    [Theory]
    [InlineData(Criterion.L1, 1)]
    [InlineData(Criterion.L2, 2)]
    public void Solve_OtherSideOfDegreeTwo_MinimisesWhatTheNormsCount(Criterion criterion, int power) =>
        Gen.Select(Norm, Norm).Sample((a, b) =>
        {
            var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
            exchange = exchange with
            {
                Slices = [.. exchange.Slices.Select(slice => slice.Exponent < 0 ? slice with { Exponent = -2 } : slice)],
            };
            var statistics = new Dictionary<string, AxisStatistics> { ["q.weight"] = One(a), ["k.weight"] = One(b) };
            var options = new BalanceOptions(criterion, FactorRounding.None, MaxLog2: 60);
            double s = Balancer.Solve(exchange, new Typed(Dtype.F32), slice => statistics[slice.Tensor], options)[0].Factor;
            double Cost(double factor) => Math.Pow(a * factor, power) + Math.Pow(b / (factor * factor), power);
            foreach (double other in (double[])[0.9, 0.999, 1.001, 1.1]) Cost(s * other).ShouldBeGreaterThan(Cost(s));
            if (power == 2) s.ShouldBe(Math.Pow(2 * b * b / (a * a), 1.0 / 6), 1e-9 * s);
        });

    [Fact]
    public void Solve_FisherWithoutSecondMoments_SaysWhatIsMissing()
    {
        var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
        var statistics = new Dictionary<string, AxisStatistics> { ["q.weight"] = One(1), ["k.weight"] = One(3) };
        var options = new BalanceOptions(Criterion.Fisher);
        Should.Throw<WiscaException>(() => Balancer.Solve(exchange, new Typed(Dtype.F32), slice => statistics[slice.Tensor], options))
            .Message.ShouldContain("second moments of the gradients of 'q.weight'");
    }

    [Theory]
    [InlineData(1.9, 1)]
    [InlineData(2.1, 1)]
    [InlineData(2.2, 0.5)]
    [InlineData(1 / 2.1, 1)]
    [InlineData(1 / 2.2, 2)]
    public void Solve_PowersOfTwoWithHysteresis_MoveOnlyBeyondIt(double ratio, double factor)
    {
        // 2.1 = 2^1.07 is inside 1 + 0.1, 2.2 = 2^1.14 is not; without hysteresis both move.
        Solve(ratio, 1, FactorRounding.PowerOfTwo, hysteresis: 0.1).Factor.ShouldBe(factor);
        Solve(ratio, 1, FactorRounding.PowerOfTwo).Factor.ShouldBe(Math.Abs(Math.Log2(ratio)) < 1 ? 1 : ratio > 1 ? 0.5 : 2);
        Solve(ratio, 1, FactorRounding.None, hysteresis: 0.1).Factor.ShouldBe(Math.Sqrt(1 / ratio), 1e-12);
    }

    private static GroupBalance Fisher(double multiplied, double divided)
    {
        var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
        var statistics = new Dictionary<string, AxisStatistics>
        {
            ["q.weight"] = One(5) with { SumOfSecondMoments = [multiplied] },
            ["k.weight"] = One(7) with { SumOfSecondMoments = [divided] },
        };
        return Balancer
            .Solve(exchange, new Typed(Dtype.F32), slice => statistics[slice.Tensor], new BalanceOptions(Criterion.Fisher, MaxLog2: 40))
            .ShouldHaveSingleItem();
    }

    private static GroupBalance Solve(double multiplied, double divided, FactorRounding rounding, double maxLog2 = 6, double hysteresis = 0)
    {
        var exchange = TinyLayout.Exchange(TinyLayout.Create(1, 1, 1), TransitionKind.QueryKey, Granularity.Tensor);
        var statistics = new Dictionary<string, AxisStatistics> { ["q.weight"] = One(multiplied), ["k.weight"] = One(divided) };
        return Balancer
            .Solve(
                exchange, new Typed(Dtype.F32), slice => statistics[slice.Tensor],
                new BalanceOptions(Rounding: rounding, MaxLog2: maxLog2, Hysteresis: hysteresis))
            .ShouldHaveSingleItem();
    }

    private static AxisStatistics One(double norm) => new([norm], [norm * norm], [norm], [norm], 1);

    private static double[] Filled(int length, double value) => [.. Enumerable.Repeat(value, length)];

    /// <summary>A source that knows its element types; all else was measured before.</summary>
    private sealed class Typed(Func<string, Dtype> dtypeOf) : ITensorSource
    {
        public Typed(Dtype dtype)
            : this(_ => dtype)
        {
        }

        public Dtype DtypeOf(string tensor) => dtypeOf(tensor);

        public AxisStatistics Measure(string tensor, int axis, int parts, bool addsOne, double[]? others) =>
            throw new InvalidOperationException("measured before");

        public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups) =>
            throw new InvalidOperationException("not asked for");
    }
}

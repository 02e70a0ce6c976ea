using Wisca.Evaluation.Flatness;
using Wisca.Tests.Torch;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class TraceEstimatorTests
{
    [Fact]
    public void Whole_QuadraticOfKnownSpectrum_IsWithinThreeStandardErrors()
    {
        using var scope = NewDisposeScope();
        double[] spectrum = [.. Enumerable.Range(0, 200).Select(i => 100.0 / (1 + i))];
        var matrix = FormulaObjective.Symmetric(spectrum);
        var estimate = TraceEstimator
            .Whole(FormulaObjective.Quadratic(matrix, FormulaObjective.Normal(2, 200)), new TraceOptions { MinProbes = 64, MaxProbes = 64 })
            .Whole;
        estimate.Probes.ShouldBe(64);
        Math.Abs(estimate.Value - spectrum.Sum()).ShouldBeLessThan(3 * estimate.StandardError);

        // Hutchinson's variance: twice the squares off the diagonal.
        double variance = 2 * (matrix.square().sum() - matrix.diagonal().square().sum()).AsDouble();
        estimate.StandardError.ShouldBe(Math.Sqrt(variance / 64), 0.4 * Math.Sqrt(variance / 64));
    }

    /// <summary>All 2^6 sign vectors together give the trace itself.</summary>
    [Fact]
    public void Estimate_EverySignVector_IsExact()
    {
        using var scope = NewDisposeScope();
        var matrix = FormulaObjective.Symmetric([5, 3, 1, 0.5, -2, -3]);
        var objective = FormulaObjective.Quadratic(matrix, FormulaObjective.Normal(2, 6));
        var estimate = TraceEstimator.Estimate(new TraceOptions { MinProbes = 64, MaxProbes = 64 }, probe =>
        {
            var signs = tensor(Enumerable.Range(0, 6).Select(bit => (probe >> bit & 1) == 0 ? 1.0 : -1.0).ToArray());
            return signs.dot(objective.HessianVectorProduct(signs)).AsDouble();
        });
        estimate.Value.ShouldBe(4.5, 1e-12);
    }

    [Fact]
    public void Whole_DiagonalHessian_NeedsTheFewestProbesAndHasNoError()
    {
        using var scope = NewDisposeScope();
        var estimate = TraceEstimator.Whole(
            new FormulaObjective(p => p[0].pow(3).sum() + p[1].pow(2).sum(), tensor(new[] { 1.0, 2.0 }), ones([3], ScalarType.Float64)),
            new TraceOptions());
        estimate.Whole.Probes.ShouldBe(8);
        estimate.Whole.Value.ShouldBe(6 + 12 + 6, 1e-12);
        estimate.Whole.StandardError.ShouldBe(0, 1e-12);
        estimate.Blocks.Select(block => block.Trace.Value).ShouldBe([18, 6], 1e-12);
    }

    [Fact]
    public void Estimate_RelativeErrorReached_EndsEarly()
    {
        TraceEstimator
            .Estimate(new TraceOptions { MaxProbes = 1000, RelativeError = 0.1 }, probe => probe % 2 == 0 ? 1 : 3)
            .Probes.ShouldBeInRange(24, 32);
        TraceEstimator
            .Estimate(new TraceOptions { MaxProbes = 50, RelativeError = 0.1 }, probe => probe % 2 == 0 ? 1 : -1)
            .Probes.ShouldBe(50);
    }

    [Fact]
    public void Whole_ConstantGradient_IsZero()
    {
        using var scope = NewDisposeScope();
        var estimate = TraceEstimator
            .Whole(new FormulaObjective(p => p[0].sum() * 3, FormulaObjective.Normal(1, 7)), new TraceOptions())
            .Whole;
        (estimate.Value, estimate.StandardError).ShouldBe((0, 0));
    }

    /// <summary>The loss of two linear layers, |W_2 W_1 X - Y|^2 / 2N: the traces of both blocks are products of norms.</summary>
    [Fact]
    public void Block_TwoLinearLayers_AreInClosedForm()
    {
        using var scope = NewDisposeScope();
        var (first, second, x, y) = (
            FormulaObjective.Normal(1, 5, 4), FormulaObjective.Normal(2, 3, 5), FormulaObjective.Normal(3, 4, 20),
            FormulaObjective.Normal(4, 3, 20));
        var objective = new FormulaObjective(p => (p[1].matmul(p[0]).matmul(x) - y).square().sum() / 40, first, second);
        var (w1, w2) = (first.detach(), second.detach());
        double a = (w2.square().sum() * x.square().sum() / 20).AsDouble(), b = (w1.matmul(x).square().sum() * 3 / 20).AsDouble();
        DenseHessian.BlockTrace(objective, "p0").ShouldBe(a, 1e-10 * a);
        DenseHessian.BlockTrace(objective, "p1").ShouldBe(b, 1e-10 * b);
        var options = new TraceOptions { MinProbes = 200, MaxProbes = 200 };
        foreach (var (block, expected) in TraceEstimator.Whole(objective, options).Blocks.Zip([a, b]))
            Math.Abs(block.Trace.Value - expected).ShouldBeLessThan(3 * block.Trace.StandardError);

        // Probes that stay within a block have nothing of what couples it to the other: less noise from as many.
        var mask = cat([ones(20, ScalarType.Float64), zeros(15, ScalarType.Float64)]);
        var inside = TraceEstimator.Block(objective, mask, new HashSet<string> { "p0" }, options, null, CancellationToken.None);
        Math.Abs(inside.Value - a).ShouldBeLessThan(3 * inside.StandardError);
        inside.StandardError.ShouldBeLessThan(0.9 * TraceEstimator.Whole(objective, options).Blocks[0].Trace.StandardError);
    }
}

using Wisca.Evaluation.Flatness;
using Wisca.Tests.Torch;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class LanczosTests
{
    [Fact]
    public void Largest_QuadraticOfKnownSpectrum_AreItsEigenvalues()
    {
        using var scope = NewDisposeScope();
        double[] spectrum = [.. Enumerable.Range(0, 300).Select(i => i < 5 ? 50 - (7 * i) : Math.Sin(i))];
        var objective = FormulaObjective.Quadratic(FormulaObjective.Symmetric(spectrum), FormulaObjective.Normal(2, 300));
        var estimate = Lanczos.Largest(objective, new LanczosOptions { Eigenvalues = 5, Tolerance = 1e-6 });
        estimate.Converged.ShouldBeTrue();
        estimate.Products.ShouldBeLessThan(60);
        foreach (var (found, expected) in estimate.Largest.Zip(spectrum.Take(5)))
        {
            found.Value.ShouldBe(expected, 1e-4 * expected);
            Math.Abs(found.Value - expected).ShouldBeLessThanOrEqualTo(found.Residual + 1e-10);
        }
    }

    /// <summary>Stopped early, each value is still within its residual of some eigenvalue.</summary>
    [Fact]
    public void Largest_TooFewSteps_ResidualsBoundTheErrors()
    {
        using var scope = NewDisposeScope();
        double[] spectrum = [.. Enumerable.Range(1, 200).Select(i => (double)i)];
        var objective = FormulaObjective.Quadratic(FormulaObjective.Symmetric(spectrum), FormulaObjective.Normal(2, 200));
        var estimate = Lanczos.Largest(objective, new LanczosOptions { Eigenvalues = 3, MaxSteps = 12, Tolerance = 1e-6 });
        estimate.Converged.ShouldBeFalse();
        estimate.Products.ShouldBe(12);
        estimate.Largest[0].Residual.ShouldBeGreaterThan(0.01);
        foreach (var found in estimate.Largest.Append(estimate.Smallest))
            spectrum.Min(value => Math.Abs(value - found.Value)).ShouldBeLessThanOrEqualTo(found.Residual);
    }

    [Theory]
    [InlineData(new[] { 3.0 })]
    [InlineData(new[] { 0.0, 0.0, 0.0 })]
    [InlineData(new[] { -1.0, -2.0, -5.0 })]
    [InlineData(new[] { 2.0, 2.0, 2.0, 2.0 })]
    [InlineData(new[] { 4.0, 4.0, 1.0, 0.0, 0.0 })]
    public void Largest_AllOfASmallSpectrum_IsComplete(double[] spectrum)
    {
        using var scope = NewDisposeScope();
        var objective = FormulaObjective.Quadratic(FormulaObjective.Symmetric(spectrum), FormulaObjective.Normal(2, spectrum.Length));
        var estimate = Lanczos.Largest(objective, new LanczosOptions { Eigenvalues = spectrum.Length, Tolerance = 1e-9 });
        estimate
            .Largest.Select(entry => entry.Value)
            .Zip(spectrum.OrderDescending())
            .ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) < 1e-9);
        estimate.Smallest.Value.ShouldBe(spectrum.Min(), 1e-9);
    }

    /// <summary>
    /// Clusters of almost equal eigenvalues: what is left of a product is a billionth of it, so that the rounding of what was taken off
    /// is a millionth of the rest. A basis that is orthogonal to that only finds values that the Hessian does not have.
    /// </summary>
    [Fact]
    public void Largest_ClustersOfAlmostEqualValues_AreAllFound()
    {
        using var scope = NewDisposeScope();
        double[] spectrum =
        [
            5, 5 - 1e-9, 5 - 2e-9, .. Enumerable.Range(0, 10).Select(i => 3 - (1e-10 * i)),
            .. Enumerable.Range(0, 5).Select(i => 0 - (1e-9 * i)),
        ];
        var objective = FormulaObjective.Quadratic(FormulaObjective.Symmetric(spectrum), FormulaObjective.Normal(2, spectrum.Length));
        var estimate = Lanczos.Largest(objective, new LanczosOptions { Eigenvalues = spectrum.Length, Tolerance = 1e-12 });
        foreach (var (found, expected) in estimate.Largest.Zip(spectrum)) found.Value.ShouldBe(expected, 1e-11);
    }

    [Fact]
    public void Largest_ConstantGradient_IsZero()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(
            p => (p[0] * arange(1.0, 8.0, dtype: ScalarType.Float64)).sum(),
            FormulaObjective.Normal(1, 7),
            FormulaObjective.Normal(2, 3));
        Lanczos.Largest(objective, new LanczosOptions()).Largest.ShouldAllBe(entry => entry.Value == 0 && entry.Residual == 0);
    }

    /// <summary>The whole Hessian of a small model, its eigenvalues by LAPACK.</summary>
    [Fact]
    public void Largest_SmallModel_AreThoseOfTheDenseHessian()
    {
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        var hessian = DenseHessian.Of(objective);
        (hessian - hessian.t()).abs().max().AsDouble().ShouldBeLessThan(1e-10 * hessian.abs().max().AsDouble());
        double[] expected = linalg.eigvalsh(hessian).data<double>().ToArray();
        var estimate = Lanczos.Largest(objective, new LanczosOptions { Eigenvalues = 4, MaxSteps = 150, Tolerance = 1e-7 });
        estimate.Converged.ShouldBeTrue();
        foreach (var (found, value) in estimate.Largest.Zip(expected.Reverse())) found.Value.ShouldBe(value, 1e-6 * expected[^1]);
        estimate.Smallest.Value.ShouldBeGreaterThanOrEqualTo(expected[0] - 1e-9);
    }

    [Fact]
    public void Largest_VectorsThatDoNotFitIntoMemory_IsRefused()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => p[0].square().sum(), zeros([1_000_000], ScalarType.Float64));
        Should
            .Throw<WiscaException>(() => Lanczos.Largest(objective, new LanczosOptions { MaxSteps = 1_000_000 }))
            .Hint.ShouldBe("ask for fewer steps (--lanczos-steps)");
    }

    [Fact]
    public void Largest_InfiniteCurvature_IsRefused()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => p[0].sqrt().sum(), zeros([3], ScalarType.Float64));
        Should
            .Throw<WiscaException>(() => Lanczos.Largest(objective, new LanczosOptions()))
            .Message.ShouldBe("the product of Hessian and vector is not finite");
    }
}

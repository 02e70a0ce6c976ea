using Wisca.Evaluation.Flatness;
using Wisca.Tests.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class SharpnessTests
{
    /// <summary>x^T A x / 2 at x: one step is to x + r A x / |A x|.</summary>
    [Fact]
    public void Measure_Quadratic_IsTheFormula()
    {
        using var scope = NewDisposeScope();
        var objective = FormulaObjective.Quadratic(diag(tensor(new[] { 4.0, 1.0 })), tensor(new[] { 3.0, 16.0 }));

        // g = (12, 16), |g| = 20, r = 5: e = (3, 4), and the loss goes from 146 to (4 * 36 + 400) / 2.
        var plain = SharpnessMeter.Measure(objective, new SharpnessOptions { Radius = 5 });
        (plain.Loss, plain.Highest, plain.Sharpness).ShouldBe((146, 272, 126));

        // |w| g = (36, 256), e = 0.1 w^2 g / |w g| = 0.1 (108, 4096) / sqrt(66832).
        double length = Math.Sqrt(66832), x = 3 + (10.8 / length), y = 16 + (409.6 / length);
        SharpnessMeter
            .Measure(objective, new SharpnessOptions { Radius = 0.1, Adaptive = true })
            .Highest.ShouldBe(((4 * x * x) + (y * y)) / 2, 1e-12);
    }

    /// <summary>From a minimum, steps of ascent find the axis of the largest curvature:
    /// the maximum over the ball is r^2 times half of it.</summary>
    [Fact]
    public void Measure_ManyStepsFromAMinimum_FindTheMaximumOfTheBall()
    {
        using var scope = NewDisposeScope();
        var objective = FormulaObjective.Quadratic(FormulaObjective.Symmetric([9, 3, 1, 0.1]), zeros([4], ScalarType.Float64));
        double one = SharpnessMeter.Measure(objective, new SharpnessOptions { Radius = 0.2 }).Sharpness;
        one.ShouldBeInRange(0.1 * 0.04 / 2, 9 * 0.04 / 2);
        SharpnessMeter.Measure(objective, new SharpnessOptions { Radius = 0.2, Steps = 30 }).Sharpness.ShouldBe(9 * 0.04 / 2, 1e-9);
    }

    /// <summary>x - 0.4 x^2 from 0: the ascent goes to 2 (0.4), where the slope points back, and so to -2 (-3.6).</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Measure_AscentThatComesDownAgain_KeepsTheHighestItSaw(int steps)
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => (p[0] - (0.4 * p[0] * p[0])).sum(), zeros([1], ScalarType.Float64));
        SharpnessMeter.Measure(objective, new SharpnessOptions { Radius = 2, Steps = steps }).Highest.ShouldBe(0.4, 1e-12);
    }

    /// <summary>x - x^2 from 0, where 3 away all is lower: the ball's middle belongs to it.</summary>
    [Fact]
    public void Measure_AllThatIsSeenLower_IsTheMiddle()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => (p[0] - (p[0] * p[0])).sum(), zeros([1], ScalarType.Float64));
        SharpnessMeter.Measure(objective, new SharpnessOptions { Radius = 3, Steps = 2 }).Sharpness.ShouldBe(0);
    }

    [Fact]
    public void Measure_ConstantLoss_IsZero()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => (p[0] * 0).sum() + 3, FormulaObjective.Normal(1, 5));
        SharpnessMeter.Measure(objective, new SharpnessOptions { Steps = 3 }).Sharpness.ShouldBe(0);
        SharpnessMeter.Measure(objective, new SharpnessOptions { Adaptive = true }).Sharpness.ShouldBe(0);
    }

    [Fact]
    public void Measure_Model_PutsItBack()
    {
        using var model = SmallModels.Decoder("llama", ScalarType.Float32);
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        float[] before = objective.Parameters.Values().data<float>().ToArray();
        SharpnessMeter.Measure(objective, new SharpnessOptions { Steps = 2 }).Sharpness.ShouldBeGreaterThan(0);
        GradientTurn.Measure(objective, [0.1]);
        LossSurface.Slice(objective, objective.FilterAxis, 2, 3, 1, 1);
        objective.Parameters.Values().data<float>().ToArray().ShouldBe(before);
    }

    /// <summary>Of x^T A x / 2 the gradient at x - eta A x is A x - eta A^2 x.</summary>
    [Fact]
    public void GradientTurn_Quadratic_IsTheCosine()
    {
        using var scope = NewDisposeScope();
        var objective = FormulaObjective.Quadratic(diag(tensor(new[] { 4.0, 1.0 })), tensor(new[] { 1.0, 3.0 }));
        var turns = GradientTurn.Measure(objective, [0.1, 0.25]);

        // g = (4, 3); afterwards (2.4, 2.7) and (0, 2.25).
        turns[0].Cosine!.Value.ShouldBe(((4 * 2.4) + (3 * 2.7)) / 5 / Math.Sqrt((2.4 * 2.4) + (2.7 * 2.7)), 1e-12);
        turns[1].Cosine!.Value.ShouldBe(0.6, 1e-12);
        turns[1].Loss.ShouldBe(2.25 * 2.25 / 2, 1e-12);
        var line = new FormulaObjective(p => p[0].sum(), FormulaObjective.Normal(1, 4));
        GradientTurn.Measure(line, [1])[0].Cosine!.Value.ShouldBe(1, 1e-12);
        var flat = new FormulaObjective(p => (p[0] * 0).sum(), FormulaObjective.Normal(1, 4));
        GradientTurn.Measure(flat, [1])[0].Cosine.ShouldBeNull();
    }
}

using Wisca.Evaluation.Flatness;
using Wisca.Tests.Torch;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class LossSurfaceTests
{
    /// <summary>
    /// With |w|^2 as the loss a direction that is as long as w in every filter shows:
    /// at distance x the loss is |w|^2 (1 + x^2) plus a part that is odd in x.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Slice_SquaredNorm_IsNormalisedFilterByFilter(int axis)
    {
        using var scope = NewDisposeScope();
        var (weight, gain) = (
            FormulaObjective.Normal(1, 3, 4) * tensor(new[] { 1.0, 10, 100 }).unsqueeze(1),
            FormulaObjective.Normal(2, 5));
        for (int filter = 0; filter < weight.shape[axis]; filter++)
        {
            var objective = new FormulaObjective(
                p => p[0].select(axis, filter).square().sum() + p[1].square().sum(),
                weight.clone(),
                gain.clone());
            double norm = weight.select(axis, filter).square().sum().AsDouble(), fixedPart = gain.square().sum().AsDouble();
            var points = LossSurface.Slice(objective, _ => axis, 1, 5, 2, 7).Points;
            points.Select(point => point.X).ShouldBe([-2, -1, 0, 1, 2]);
            points[2].Loss.ShouldBe(norm + fixedPart, 1e-12 * norm);
            ((points[0].Loss + points[4].Loss) / 2).ShouldBe((norm * 5) + fixedPart, 1e-10 * norm);
            ((points[1].Loss + points[3].Loss) / 2).ShouldBe((norm * 2) + fixedPart, 1e-10 * norm);
        }
    }

    [Fact]
    public void Slice_TwoDimensions_HoldsTheOneDimensionalSliceInItsMiddle()
    {
        using var model = SmallModels.Decoder("gpt2");
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        var line = LossSurface.Slice(objective, objective.FilterAxis, 1, 3, 0.5, 7);
        var plane = LossSurface.Slice(objective, objective.FilterAxis, 2, 3, 0.5, 7);
        plane.Points.Length.ShouldBe(9);
        plane.Points.Where(point => point.Y == 0).Select(point => point.Loss).ShouldBe(line.Points.Select(point => point.Loss));
        plane.Points.Select(point => point.Loss).Distinct().Count().ShouldBe(9);
        LossSurface.Slice(objective, objective.FilterAxis, 1, 3, 0.5, 8).Points[0].Loss.ShouldNotBe(line.Points[0].Loss);
    }

    [Fact]
    public void FilterAxis_Conv1D_IsTheColumns()
    {
        using var model = SmallModels.Decoder("gpt2");
        using var objective = SmallModels.Objective(model);
        objective.FilterAxis("transformer.wte.weight").ShouldBe(0);
        objective.FilterAxis("transformer.h.0.attn.c_attn.weight").ShouldBe(1);
        using var llama = SmallModels.Decoder("llama");
        using var other = SmallModels.Objective(llama);
        other.FilterAxis("model.layers.0.self_attn.q_proj.weight").ShouldBe(0);
    }

    [Fact]
    public void Between_Quadratic_IsTheParabola()
    {
        using var scope = NewDisposeScope();
        var objective = FormulaObjective.Quadratic(eye(2, dtype: ScalarType.Float64), tensor(new[] { 2.0, 0.0 }));
        var curve = LossSurface.Between(objective, tensor(new[] { -2.0, 0.0 }), 5);
        curve.Points.Select(point => point.X).ShouldBe([-0.5, 0, 0.5, 1, 1.5]);
        curve.Points.Select(point => point.Loss).ShouldBe([8, 2, 0, 2, 8], 1e-12);
        objective.Loss().ShouldBe(2);
    }

    [Fact]
    public void Slice_LossThatIsNotFinite_IsDrawnAsSuch()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => p[0].log().sum(), ones([2, 2], ScalarType.Float64));
        var points = LossSurface.Slice(objective, _ => 0, 1, 3, 100, 1).Points;
        double.IsFinite(points[1].Loss).ShouldBeTrue();
        points.ShouldContain(point => !double.IsFinite(point.Loss));
    }
}

using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Optimizers;

[Collection(TorchCollection.Name)]
public sealed class GradientTests : IClassFixture<OneThread>
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.BFloat16)]
    public void ClipGradients_AboveTheLimit_ScalesAllByOneFactor(ScalarType type)
    {
        using var model = new ToyModel(type);
        using var optimizer = new AdamW(model.Parameters);
        model.Backward();
        double[] before = Gradients(model);

        // The norm of sixteen-bit gradients adds up in float32; what is clipped is rounded to its type.
        double norm = Math.Sqrt(before.Sum(value => value * value)),
            rounding = Rounding.Of(type == ScalarType.Float64 ? Rounding.Float64 : Rounding.Float32, before.Length);
        optimizer.GradientNorm().ShouldBe(norm, norm * rounding);
        optimizer.ClipGradients(2 * norm).ShouldBe(norm, norm * rounding);
        Gradients(model).ShouldBe(before);
        optimizer.ClipGradients(norm / 4).ShouldBe(norm, norm * rounding);
        double[] after = Gradients(model);
        double tolerance = (type == ScalarType.BFloat16 ? Rounding.BFloat16 : 0) + (2 * rounding);
        for (int i = 0; i < before.Length; i++) after[i].ShouldBe(before[i] / 4, (Math.Abs(before[i]) * tolerance) + 1e-30);
        Should.Throw<ArgumentOutOfRangeException>(() => optimizer.ClipGradients(0));
        Should.Throw<ArgumentOutOfRangeException>(() => optimizer.ClipGradients(double.NaN));
    }

    /// <summary>Equivalent models: the relative norm is the same, the plain one is not.</summary>
    [Theory]
    [InlineData(ScalarType.Float64, 4)]
    [InlineData(ScalarType.Float32, 8)]
    [InlineData(ScalarType.BFloat16, 2)]
    public void ClipGradients_RelativeNorm_IsThatOfEveryEquivalentModel(ScalarType type, double factor)
    {
        using var model = new ToyModel(type);
        using var optimizer = new AdamW(model.Parameters);
        model.Backward();
        double expected = Math.Sqrt(
            model.Parameters.Sum(entry => ToyModel.Values(entry.parameter).Zip(ToyModel.Values(entry.parameter.grad!))
                .Sum(pair => pair.First * pair.First * pair.Second * pair.Second)));
        double plain = optimizer.GradientNorm(), relative = optimizer.ClipGradients(double.MaxValue, ClipNorm.Relative);
        relative.ShouldBe(expected, expected * Rounding.Of(type == ScalarType.Float64 ? Rounding.Float64 : Rounding.Float32, 1000));
        using (var scope = NewDisposeScope())
        using (no_grad())
        {
            model.W1.mul_(factor);
            model.W1.grad!.div_(factor);
            model.W2.div_(factor);
            model.W2.grad!.mul_(factor);
        }

        optimizer.ClipGradients(double.MaxValue, ClipNorm.Relative).ShouldBe(relative);
        Math.Abs(optimizer.GradientNorm() - plain).ShouldBeGreaterThan(plain * 0.1);
        double[] before = Gradients(model);
        optimizer.ClipGradients(relative / 2, ClipNorm.Relative).ShouldBe(relative);
        Gradients(model).Zip(before).ShouldAllBe(pair => pair.First == pair.Second / 2);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ClipGradients_NotFinite_LeavesThemAndNamesThem(double value)
    {
        using var model = new ToyModel(ScalarType.Float32);
        using var optimizer = new AdamW(model.Parameters);
        model.Backward();
        optimizer.NonFiniteGradients().ShouldBeEmpty();
        using (var scope = NewDisposeScope()) model.W2.grad![0, 0] = tensor((float)value);
        double[] before = Gradients(model);
        double.IsFinite(optimizer.ClipGradients(1e-3)).ShouldBeFalse();
        Gradients(model).ShouldBe(before);
        optimizer.NonFiniteGradients().ShouldBe([ToyModel.Second]);
    }

    [Fact]
    public void ZeroGradients_FreedOrFilled_StartsAnew()
    {
        using var model = new ToyModel();
        using var optimizer = new AdamW(model.Parameters);
        model.Backward();
        double[] once = Gradients(model);
        model.Backward();
        Gradients(model).ShouldNotBe(once);
        optimizer.ZeroGradients(free: false);
        Gradients(model).ShouldAllBe(value => value == 0);
        model.Backward();
        Gradients(model).ShouldBe(once);
        optimizer.ZeroGradients();
        model.W1.grad.ShouldBeNull();
        optimizer.GradientNorm().ShouldBe(0);
        optimizer.ClipGradients(1).ShouldBe(0);
        double[] weights = ToyModel.Values(model.W1);
        optimizer.Step(1);
        ToyModel.Values(model.W1).ShouldBe(weights);
        optimizer.StepsOf(ToyModel.First).ShouldBe(0);
        model.Backward();
        Gradients(model).ShouldBe(once);
    }

    private static double[] Gradients(ToyModel model) => [.. model.Parameters.SelectMany(pair => ToyModel.Values(pair.parameter.grad!))];
}

using Wisca.Optimizers;

namespace Wisca.Tests.Optimizers;

/// <summary>
/// W1 times s and W2 over s in the middle of training, with the state moved along by its degrees, is the same training with other
/// learning rates: the null test of everything that changes weights while they train.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class TransportTests
{
    private const int Before = 10, After = 100;
    private const double Rate = 1e-2;

    [Theory]
    [InlineData(2)]
    [InlineData(0.5)]
    public void Transport_PowerOfTwo_IsBitEqualToOtherLearningRates(double s)
    {
        double[] expected = Run(s, moved: false, transport: false), actual = Run(s, moved: true, transport: true);
        actual.ShouldBe(expected);
        actual[^1].ShouldBeLessThan(actual[0]);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(0.5)]
    public void Transport_Forgotten_IsNot(double s)
    {
        double[] expected = Run(s, moved: false, transport: false), actual = Run(s, moved: true, transport: false);
        actual[..(Before + 1)].ShouldBe(expected[..(Before + 1)]);
        actual.Zip(expected, (a, b) => Math.Abs(a - b) / b).Max().ShouldBeGreaterThan(1e-3);
    }

    private static double[] Run(double s, bool moved, bool transport)
    {
        using var model = new ToyModel(TorchSharp.torch.ScalarType.Float32);
        using var optimizer = new AdamW(model.Parameters, new AdamWOptions { Beta2 = 0.999, Epsilon = 1e-4, Parameters = new ParameterSettings { WeightDecay = 0 } });
        var losses = new List<double>();
        for (int step = 0; step < Before + After; step++)
        {
            if (step == Before) Move(model, optimizer, s, moved, transport);
            optimizer.ZeroGradients();
            losses.Add(model.Backward());
            optimizer.Step(Rate);
        }

        return [.. losses];
    }

    private static void Move(ToyModel model, AdamW optimizer, double s, bool moved, bool transport)
    {
        if (!moved)
        {
            optimizer.MultiplyLearningRate(ToyModel.First, 1 / s);
            optimizer.MultiplyLearningRate(ToyModel.Second, s);
            return;
        }

        model.Scale(s);
        if (!transport) return;
        foreach (var (parameter, factor) in new[] { (ToyModel.First, s), (ToyModel.Second, 1 / s) })
        {
            foreach (var state in optimizer.StateOf(parameter)) state.Tensor.mul_(Math.Pow(factor, state.Degree));
            optimizer.MultiplyEpsilon(parameter, 1 / factor);
        }
    }
}

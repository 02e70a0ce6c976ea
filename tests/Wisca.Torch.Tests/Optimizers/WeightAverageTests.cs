using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Optimizers;

[Collection(TorchCollection.Name)]
public sealed class WeightAverageTests : IClassFixture<OneThread>
{
    [Fact]
    public void Update_WhileTraining_IsTheMovingAverage()
    {
        using var model = new ToyModel();
        using var optimizer = new AdamW(model.Parameters);
        using var average = new WeightAverage(model.Parameters, 0.9);
        double[] expected = ToyModel.Values(model.W1);
        for (int step = 0; step < 10; step++)
        {
            model.Backward();
            optimizer.Step(1e-2);
            double decay = step == 5 ? 0.5 : 0.9;
            average.Update(step == 5 ? 0.5 : null);
            expected = [.. expected.Zip(ToyModel.Values(model.W1), (old, weight) => (decay * old) + ((1 - decay) * weight))];
        }

        var state = average.StateOf(ToyModel.First).Single();
        (state.Name, state.Degree).ShouldBe(("average", 1));
        ToyModel.Values(state.Tensor).Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-14);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void SwapIn_ThenOut_RestoresTheWeights(ScalarType type)
    {
        using var model = new ToyModel(type);
        using var average = new WeightAverage(model.Parameters, 0.5);
        average.Update();
        ToyModel.Values(average.StateOf(ToyModel.First).Single().Tensor).ShouldBe(ToyModel.Values(model.W1));
        model.Scale(3);
        average.Update();
        double[] weights = ToyModel.Values(model.W1);
        using (average.SwapIn())
        {
            ToyModel.Values(model.W1).ShouldBe(ToyModel.Values(average.StateOf(ToyModel.First).Single().Tensor.to(type)));
            ToyModel.Values(model.W1).ShouldNotBe(weights);
            Should.Throw<InvalidOperationException>(() => average.Update());
            Should.Throw<InvalidOperationException>(average.SwapIn);
        }

        ToyModel.Values(model.W1).ShouldBe(weights);
        average.Update();
        model.W1.requires_grad.ShouldBeTrue();
        model.Backward();
    }

    [Fact]
    public void Load_Saved_IsBitEqual()
    {
        using var folder = new TemporaryFolder();
        using var model = new ToyModel(ScalarType.BFloat16);
        using WeightAverage saved = new(model.Parameters, 0.7), loaded = new(model.Parameters, 0.7);
        model.Scale(1.1);
        saved.Update();
        saved.Save(folder["average"]);
        using (var scope = NewDisposeScope()) loaded.Load(folder["average"]);
        foreach (var (name, _) in model.Parameters)
        {
            Tensor a = saved.StateOf(name).Single().Tensor, b = loaded.StateOf(name).Single().Tensor;
            b.dtype.ShouldBe(ScalarType.Float32);
            b.bytes.SequenceEqual(a.bytes).ShouldBeTrue();
        }

        using var other = new WeightAverage([(ToyModel.First, model.W2)]);
        string message = Should.Throw<WiscaException>(() => other.Load(folder["average"])).Message;
        message.ShouldContain(
            $"{ToyModel.First} is [6, 5] F32, expected [4, 6] F32; {ToyModel.Second} [4, 6] is not a parameter of the model; "
            + $"{ToyModel.Bias} [4] is not");
        Should.Throw<WiscaException>(() => new WeightAverage([], 1)).Message.ShouldStartWith("decay of the weight average is 1");
        other.StateOf("w").ShouldBeEmpty();
    }
}

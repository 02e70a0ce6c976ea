using TorchSharp;
using Wisca.Evaluation.Flatness;
using Wisca.Tests.Torch;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

[Collection(TorchCollection.Name)]
public sealed class ObjectiveTests
{
    /// <summary>The loss is the one that the model's logits give, and its derivatives are difference quotients.</summary>
    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("mixtral")]
    public void DecoderObjective_SmallModel_HasTheDerivativesOfItsLoss(string modelType)
    {
        using var model = modelType == "mixtral" ? TinyFamilies.Create(modelType) : SmallModels.Decoder(modelType);
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        var windows = objective.Windows;
        double expected = Enumerable.Range(0, windows.Count).Sum(window =>
        {
            long[] ids = windows.Ids[(window * (windows.Length + 1))..((window + 1) * (windows.Length + 1))];
            double[][] logits = Reference.Logits(model, [.. ids[..^1].Select(id => (int)id)]);
            return logits.Select((row, at) => Math.Log(row.Sum(Math.Exp)) - row[ids[at + 1]]).Sum();
        }) / windows.Tokens;
        objective.Loss().ShouldBe(expected, 1e-12);

        const double step = 1e-5;
        var space = objective.Parameters;
        var direction = ProbeVectors.Normal(space, 1, ProbeVectors.Purpose.Slice, 0);
        direction.div_(direction.norm());
        var (lossAbove, gradientAbove) = At(step);
        var (lossBelow, gradientBelow) = At(-step);
        double slope = objective.Gradient().dot(direction).AsDouble();
        slope.ShouldBe((lossAbove - lossBelow) / (2 * step), 1e-7 * Math.Max(1, Math.Abs(slope)));
        var product = objective.HessianVectorProduct(direction);
        (product - ((gradientAbove - gradientBelow) / (2 * step)))
            .abs()
            .max()
            .AsDouble()
            .ShouldBeLessThan(1e-6 * product.abs().max().AsDouble());

        (double, Tensor) At(double by) => space.Around(origin =>
        {
            space.Set(origin.detach() + (direction * by));
            var gradient = objective.Gradient();
            return (objective.Loss(), gradient.MoveToOuterDisposeScope());
        });
    }

    /// <summary>Rows and columns of other tensors left out: the same numbers for less work.</summary>
    [Fact]
    public void HessianVectorProduct_OfSomeTensors_IsThatBlock()
    {
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        using var objective = SmallModels.Objective(model);
        const string name = "model.layers.0.self_attn.k_proj.weight";
        var mask = new ParameterBlock([(name, 0, [0, 2])]).Mask(objective.Parameters);
        mask.sum().AsDouble().ShouldBe(2 * 4);
        var vector = ProbeVectors.Rademacher(objective.Parameters, 1, ProbeVectors.Purpose.Trace, 0) * mask;
        var whole = objective.HessianVectorProduct(vector);
        var some = objective.HessianVectorProduct(vector, new HashSet<string> { name });
        ((some - whole) * mask).abs().max().AsDouble().ShouldBeLessThan(1e-14);
        some.count_nonzero().AsInt64().ShouldBe(4 * 4);
    }

    /// <summary>Passes add up: one window at a time, or all together.</summary>
    [Fact]
    public void DecoderObjective_ManyPasses_AddUp()
    {
        using var model = SmallModels.Decoder("llama");
        using var scope = NewDisposeScope();
        var random = new Random(1);
        var windows = TokenWindows.Cut([.. Enumerable.Range(0, 2001).Select(_ => random.Next(7))], 10);
        using var objective = new DecoderObjective(model, windows);
        objective.Gradient().Dispose();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var gradient = objective.Gradient();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before + 1);
        model.zero_grad();
        var ids = tensor(windows.Ids).view(200, 11);
        var loss = model.Loss(ids.narrow(1, 0, 10), ids.narrow(1, 1, 10));
        loss.Sum.backward();
        objective.Loss().ShouldBe(loss.Mean, 1e-13);
        (ParameterSpace.Flatten(model.parameters().Select(parameter => parameter.grad!)) / 2000 - gradient)
            .abs()
            .max()
            .AsDouble()
            .ShouldBeLessThan(1e-14);
    }

    [Fact]
    public void Around_WorkThatFails_LeavesTheParameters()
    {
        using var scope = NewDisposeScope();
        var objective = new FormulaObjective(p => p[0].sum(), FormulaObjective.Normal(1, 5));
        double[] before = objective.Parameters.Values().data<double>().ToArray();
        Should.Throw<OperationCanceledException>(() => objective.Parameters.Around<int>(origin =>
        {
            objective.Parameters.Set(zeros_like(origin));
            throw new OperationCanceledException();
        }));
        objective.Parameters.Values().data<double>().ToArray().ShouldBe(before);
    }

    [Fact]
    public void DecoderObjective_TextThatDoesNotFit_IsRefused()
    {
        using var model = SmallModels.Decoder("llama");
        Should
            .Throw<WiscaException>(() => new DecoderObjective(model, TokenWindows.Cut([1, 2, 7], 2)))
            .Message.ShouldBe("token 7 is not below the model's vocabulary of 7");
        Should
            .Throw<WiscaException>(() => new DecoderObjective(model, TokenWindows.Cut(new int[20], 13)))
            .Message.ShouldBe("windows of 13 tokens, but the model was made for 12 positions");
        Should.Throw<WiscaException>(() => TokenWindows.Cut([1], 2)).Message.ShouldBe("the text has 1 token, expected at least two");
    }

    [Fact]
    public void Cut_Tokens_GivesWindowsThatShareTheirEnds()
    {
        var windows = TokenWindows.Cut([0, 1, 2, 3, 4, 5, 6, 7], 3);
        windows.Ids.ShouldBe([0, 1, 2, 3, 3, 4, 5, 6]);
        (windows.Count, windows.Length, windows.Tokens).ShouldBe((2, 3, 6));
        TokenWindows.Cut([0, 1, 2], 100).Length.ShouldBe(2);
    }
}

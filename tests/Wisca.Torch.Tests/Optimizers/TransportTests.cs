using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Optimizers;

/// <summary>
/// W1 times s and W2 over s in the middle of training, with the state moved along by its degrees, is the same training with other
/// learning rates: the null test of everything that changes weights while they train.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class TransportTests : IClassFixture<OneThread>
{
    private const int Before = 10;
    private static readonly string[] Kinds = ["adamw", "lion", "sgd", "sgd-nesterov", "muon", "soap"];

    public static TheoryData<string, double> PowersOfTwo()
    {
        var cases = new TheoryData<string, double>();
        foreach (string kind in Kinds)
        {
            cases.Add(kind, 2);
            cases.Add(kind, 0.5);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(PowersOfTwo))]
    public void Transport_PowerOfTwo_IsBitEqualToOtherLearningRates(string kind, double s)
    {
        double[] expected = Run(kind, s, moved: false, transport: false), actual = Run(kind, s, moved: true, transport: true);
        actual.ShouldBe(expected);
        actual[^1].ShouldBeLessThan(actual[0]);
    }

    [Theory]
    [MemberData(nameof(PowersOfTwo))]
    public void Transport_Forgotten_IsNot(string kind, double s)
    {
        double[] expected = Run(kind, s, moved: false, transport: false), actual = Run(kind, s, moved: true, transport: false);
        actual[..(Before + 1)].ShouldBe(expected[..(Before + 1)]);
        actual.Zip(expected, (a, b) => Math.Abs(a - b) / b).Max().ShouldBeGreaterThan(1e-4);
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("lion")]
    [InlineData("sgd")]
    [InlineData("muon")]
    [InlineData("soap")]
    public void Transport_AnyFactor_IsEqualInDoublePrecision(string kind)
    {
        const double s = 1.7;
        double[] expected = Run(kind, s, moved: false, transport: false, ScalarType.Float64, after: 20);
        double[] actual = Run(kind, s, moved: true, transport: true, ScalarType.Float64, after: 20);
        actual.Zip(expected, (a, b) => Math.Abs(a - b) / b).Max().ShouldBeLessThan(1e-12);
    }

    /// <summary>A parameter times s has gradients over s.
    /// What the optimizer then gathers is s^Degree times what it gathered before.</summary>
    [Fact]
    public void StateOf_GradientsOverS_IsSToTheDegree()
    {
        const double s = 4;
        foreach (string kind in KnownOptimizers.All)
        {
            using var model = ToyModel.Fill([6, 4], ScalarType.BFloat16, 1);
            using var scaled = ToyModel.Fill([6, 4], ScalarType.BFloat16, 1);
            using (var scope = NewDisposeScope())
            {
                using var ungraded = no_grad();
                scaled.mul_(s);
            }

            using var plain = KnownOptimizers.Create(kind, [("w", model)], new ParameterSettings { WeightDecay = 0 });
            using var other = KnownOptimizers.Create(kind, [("w", scaled)], new ParameterSettings { WeightDecay = 0 });
            for (int step = 0; step < 5; step++)
            {
                double[] gradient = Array.ConvertAll(OptimizerStepTests.Gradient([6, 4], 0, step), value => Math.Round(value * 64) / 64);
                OptimizerStepTests.SetGradient(model, gradient);
                OptimizerStepTests.SetGradient(scaled, Array.ConvertAll(gradient, value => value / s));
                plain.Step(0);
                other.Step(0);
            }

            foreach (var (state, follower) in plain.StateOf("w").Zip(other.StateOf("w")))
            {
                state.Name.ShouldBe(follower.Name);
                double[] expected = Array.ConvertAll(ToyModel.Values(state.Tensor), value => value * Math.Pow(s, state.Degree));
                ToyModel.Values(follower.Tensor).ShouldBe(expected, $"{kind} {state.Name}");
            }
        }
    }

    private static double[] Run(string kind, double s, bool moved, bool transport, ScalarType type = ScalarType.Float32, int after = 100)
    {
        using var model = new ToyModel(type);
        using var optimizer = KnownOptimizers.Create(kind, model.Parameters, new ParameterSettings { WeightDecay = 0 });
        var losses = new List<double>();
        for (int step = 0; step < Before + after; step++)
        {
            if (step == Before) Move(kind, model, optimizer, s, moved, transport);
            optimizer.ZeroGradients();
            losses.Add(model.Backward());
            optimizer.Step(kind == "lion" ? 2e-3 : 1e-2);
        }

        return [.. losses];
    }

    private static void Move(string kind, ToyModel model, Optimizer optimizer, double s, bool moved, bool transport)
    {
        if (!moved)
        {
            double rate = kind.StartsWith("sgd", StringComparison.Ordinal) ? s * s : s;
            optimizer.MultiplyLearningRate(ToyModel.First, 1 / rate);
            optimizer.MultiplyLearningRate(ToyModel.Second, rate);
            return;
        }

        model.Scale(s);
        if (!transport) return;
        using var scope = NewDisposeScope();
        foreach (var (parameter, factor) in new[] { (ToyModel.First, s), (ToyModel.Second, 1 / s) })
        {
            foreach (var state in optimizer.StateOf(parameter)) state.Tensor.mul_(Math.Pow(factor, state.Degree));
            if (optimizer.HasEpsilon(parameter)) optimizer.MultiplyEpsilon(parameter, 1 / factor);
        }
    }
}

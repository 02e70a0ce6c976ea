using Wisca.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Tests.Optimizers;

[Collection(TorchCollection.Name)]
public sealed class AdamWTests
{
    private const double Rate = 3e-2, Beta1 = 0.9, Beta2 = 0.99, Epsilon = 1e-3, Decay = 0.1;

    private static readonly AdamWOptions Options = new()
    {
        Beta1 = Beta1,
        Beta2 = Beta2,
        Epsilon = Epsilon,
        Parameters = new ParameterSettings
        {
            WeightDecay = Decay,
            DecayEmbeddings = false,
            Rules =
            [
                new ParameterRule("*.q.weight") { LearningRateMultiplier = 0.25 },
                new ParameterRule("*.k.weight") { LearningRateMultiplier = 4, KeepDecay = true, EpsilonMultiplier = 0.5 },
                new ParameterRule("*.o.bias") { WeightDecay = 0.3 },
            ],
        },
    };

    /// <summary>Name, shape, and what the options above mean for it: learning rate, epsilon, decay.</summary>
    private static readonly (string Name, long[] Shape, double Rate, double Epsilon, double Decay)[] Rows =
    [
        ("embed_tokens.weight", [7, 5], Rate, Epsilon, 0),
        ("layers.0.q.weight", [5, 3], Rate / 4, Epsilon, Decay),
        ("layers.0.k.weight", [5, 3], Rate * 4, Epsilon / 2, Decay / 4),
        ("layers.0.v.weight", [33, 17], Rate, Epsilon, Decay),
        ("layers.0.o.bias", [5], Rate, Epsilon, 0.3),
        ("norm.weight", [13], Rate, Epsilon, 0),
    ];

    [Theory]
    [InlineData(ScalarType.Float64, 1e-12)]
    [InlineData(ScalarType.Float32, 2e-6)]
    public void Step_Twelve_IsTheReference(ScalarType type, double tolerance)
    {
        const int steps = 12;
        var parameters = Rows.Select((row, index) => (row.Name, ToyModel.Fill(row.Shape, type, index))).ToList();
        double[][] start = [.. parameters.Select(parameter => ToyModel.Values(parameter.Item2))];
        using var optimizer = new AdamW(parameters, Options);
        for (int step = 0; step < steps; step++)
        {
            for (int i = 0; i < Rows.Length; i++) SetGradient(parameters[i].Item2, Gradient(i, step));
            optimizer.Step(Rate);
        }

        for (int i = 0; i < Rows.Length; i++)
        {
            var row = Rows[i];
            int parameter = i;
            double[][] gradients = [.. Enumerable.Range(0, steps).Select(step => Gradient(parameter, step))];
            var (expected, memory) = ReferenceOptimizer.Run(start[i], gradients, ReferenceOptimizer.AdamW(row.Rate, Beta1, Beta2, row.Epsilon, row.Decay));
            Close(ToyModel.Values(parameters[i].Item2), expected, tolerance, row.Name);
            Close(ToyModel.Values(State(optimizer, row.Name, "exp_avg")), [.. memory.Select(pair => pair[0])], tolerance, row.Name);
            Close(ToyModel.Values(State(optimizer, row.Name, "exp_avg_sq")), [.. memory.Select(pair => pair[1])], tolerance, row.Name);
            optimizer.StepsOf(row.Name).ShouldBe(steps);
            parameters[i].Item2.Dispose();
        }
    }

    /// <summary>Gradients are rounded to the test's numbers' three digits, times powers of two: the same in every type.</summary>
    private static double[] Gradient(int parameter, int step) =>
        Array.ConvertAll(ToyModel.Numbers((int)Rows[parameter].Shape.Aggregate(1L, (product, size) => product * size), 100 + (50 * parameter) + step), value => (double)(float)value);

    private static void SetGradient(Parameter parameter, double[] values)
    {
        using var scope = NewDisposeScope();
        parameter.grad = tensor(values).reshape(parameter.shape).to(parameter.dtype);
    }

    internal static Tensor State(IParameterState optimizer, string parameter, string name) =>
        optimizer.StateOf(parameter).Single(state => state.Name == name).Tensor;

    internal static void Close(double[] actual, double[] expected, double tolerance, string name)
    {
        actual.Length.ShouldBe(expected.Length);
        actual.Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(tolerance, name);
    }
}

using Wisca.Numerics;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>
/// One pass over memory against libtorch's operators, which do the same to a tensor that is not contiguous, and against float64.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class HostScalingTests
{
    private const int Rows = 300, Columns = 500;

    public static TheoryData<ScalarType, bool> Cases =>
    [
        .. from type in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Float64]
           from powers in (bool[])[true, false]
           select (type, powers),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Scale_WeightMomentumAndSecondMoment_AreThoseOfOperatorsAndOfFloat64(ScalarType type, bool powersOfTwo)
    {
        using var scope = NewDisposeScope();
        var factors = new AxisFactors(Factors(Rows, powersOfTwo), Factors(Columns, powersOfTwo));
        foreach (var each in (AxisFactors[])[factors, new(factors.Rows, null), new(null, factors.Columns), new(Same(powersOfTwo), null)])
        {
            foreach (int degree in (int[])[1, -1, -2])
            {
                Tensor one = Values(type, [Rows, Columns]), other = one.t().contiguous().t();
                var exact = one.to(ScalarType.Float64, copy: true);
                HostMatrix.Of(one).ShouldNotBeNull();
                HostMatrix.Of(other).ShouldBeNull();
                Scale(one, degree, each);
                Scale(other, degree, each);
                if (each.Rows is { } rows) exact *= tensor(Array.ConvertAll(rows, factor => Math.Pow(factor, degree))).unsqueeze(1);
                if (each.Columns is { } columns) exact *= tensor(Array.ConvertAll(columns, factor => Math.Pow(factor, degree)));
                double unit = type switch
                {
                    ScalarType.Float32 => 6e-8,
                    ScalarType.BFloat16 => 4e-3,
                    ScalarType.Float16 => 5e-4,
                    _ => 2e-16,
                };
                double worst = ((one.to(ScalarType.Float64) - exact).abs() / exact.abs()).max().AsDouble();
                if (powersOfTwo) worst.ShouldBe(0);
                else worst.ShouldBeLessThan(4 * unit);

                // The operators of libtorch round a product to single precision on its way to 16 bits.
                if (powersOfTwo || type is ScalarType.Float32 or ScalarType.Float64) Numbers(one).ShouldBe(Numbers(other));
            }
        }
    }

    [Fact]
    public void Scale_StackWithColumnsOfItsOwn_IsThatOfOperators()
    {
        using var scope = NewDisposeScope();
        double[] rows = Factors(4 * 90, false), columns = Factors(4 * 70, false);
        Tensor one = Values(ScalarType.Float32, [4, 90, 70]), exact = one.to(ScalarType.Float64);
        Scale(one, 1, new AxisFactors(rows, columns));
        exact = exact * tensor(rows, [4, 90, 1]) * tensor(columns, [4, 1, 70]);
        ((one.to(ScalarType.Float64) - exact).abs() / exact.abs()).max().AsDouble().ShouldBeLessThan(6e-8);
    }

    [Fact]
    public void Scale_VectorsNumbersAndGainsOfWhichOneIsNotStored_AreThoseOfOperators()
    {
        using var scope = NewDisposeScope();
        double[] factors = Factors(40, false);
        Tensor vector = Values(ScalarType.Float32, [40]), exact = vector.to(ScalarType.Float64);
        Scale(vector, -1, AxisFactors.Along(0, factors));
        Numbers(vector).ShouldBe(Numbers((exact * tensor(Array.ConvertAll(factors, factor => 1 / factor))).to(ScalarType.Float32)));
        Tensor gain = Values(ScalarType.Float32, [40]), before = gain.to(ScalarType.Float64);
        Scale(gain, 1, AxisFactors.Along(0, factors) with { AddsOne = true });
        Numbers(gain).ShouldBe(Numbers((((before + 1) * tensor(factors)) - 1).to(ScalarType.Float32)));
    }

    /// <summary>A parameter's copies and moments, and nothing beside, on one thread as on two.</summary>
    [Fact]
    public void Scale_ManyAtOnce_IsTheSameOnAnyNumberOfThreads()
    {
        int threads = TorchRuntime.Threads;
        try
        {
            double[][] results =
            [
                .. new[] { 1, 2 }.Select(count =>
                {
                    using var scope = NewDisposeScope();
                    TorchRuntime.Threads = count;
                    var tensors = Enumerable.Range(0, 3).ToDictionary(
                        index => $"{index}", index => Values(ScalarType.Float32, [Rows + index, Columns]), StringComparer.Ordinal);
                    var model = new LiveModel(tensors.Select(entry => (entry.Key, entry.Value)), []);
                    model.Scale(
                        [
                            .. tensors.Keys.Where(name => name != "1").Select(name =>
                                KeyValuePair.Create(name, new AxisFactors(null, Factors(Columns, false)))),
                        ],
                        StatePolicy.Transport);
                    Numbers(tensors["1"]).ShouldBe(Numbers(Values(ScalarType.Float32, [Rows + 1, Columns])));
                    return (double[])[.. tensors.Values.SelectMany(Numbers)];
                }),
            ];
            results[0].ShouldBe(results[1]);
        }
        finally
        {
            TorchRuntime.Threads = threads;
        }
    }

    [Theory]
    [InlineData(0, 1, false, false)]
    [InlineData(1, 1, false, false)]
    [InlineData(1, 3, false, false)]
    [InlineData(0, 1, true, true)]
    [InlineData(1, 1, true, true)]
    public void Measure_MatrixInMemory_IsWhatOperatorsFind(int axis, int parts, bool addsOne, bool factors)
    {
        using var scope = NewDisposeScope();
        Tensor one = Values(ScalarType.Float32, [Rows, Columns]), other = one.t().contiguous().t();
        double[]? others = factors ? Factors(axis == 0 ? Columns : Rows, false) : null;
        AxisStatistics mine = Measure(one), theirs = Measure(other);
        mine.ElementsPerIndex.ShouldBe(theirs.ElementsPerIndex);
        mine.Largest.ShouldBe(theirs.Largest);
        mine.SmallestNonzero.ShouldBe(theirs.SmallestNonzero);
        foreach (var (sums, expected) in new[]
        {
            (mine.SumOfAbsolutes, theirs.SumOfAbsolutes), (mine.SumOfSquares, theirs.SumOfSquares),
        })
        {
            sums.Length.ShouldBe(expected.Length);
            for (int i = 0; i < sums.Length; i++) sums[i].ShouldBe(expected[i], 1e-13 * expected[i]);
        }

        AxisStatistics Measure(Tensor tensor) => new LiveModel([("w", tensor)], []).Measure("w", axis, parts, addsOne, others);
    }

    private static void Scale(Tensor target, int degree, AxisFactors factors)
    {
        // A state of a parameter that is not looked at.
        var state = new StateTensor("state", target, degree);
        var host = new HostScaling();
        if (!host.TryAdd(state, factors)) StateTransport.Scale(state, factors);
        host.Run();
    }

    private static Tensor Values(ScalarType type, long[] shape)
    {
        using var generator = new Generator(5);

        // Of no size that a product could take out of the normal range of 16 bits.
        var values = rand(shape, ScalarType.Float64, generator: generator) - 0.5;
        return (values + (0.5 * values.sign())).to(type);
    }

    private static double[] Factors(int count, bool powersOfTwo) =>
        [.. Enumerable.Range(0, count).Select(index => powersOfTwo ? Math.ScaleB(1, (index % 3) - 1) : 0.6 + (0.8 * index / count))];

    private static double[] Same(bool powersOfTwo)
    {
        double[] factors = new double[Rows];
        Array.Fill(factors, powersOfTwo ? 0.5 : 1.3);
        return factors;
    }

    private static double[] Numbers(Tensor tensor) => tensor.to(ScalarType.Float64).contiguous().data<double>().ToArray();
}

using System.Collections.Immutable;
using Wisca.Attention;
using Wisca.Tests.Torch;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Tests.Transitions;

/// <summary>
/// The null test: with state and epsilon transported, no weight decay and no clipping, a transition by s in mid-training is nothing but
/// learning rates lr/s and lr s (lr/s^2 and lr s^2 for SGD) on the two sides from there on.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class WiscaSchedulerNullTests
{
    private const int Before = 10;

    public static TheoryData<string, TransitionKind, Granularity> Cases()
    {
        var cases = new TheoryData<string, TransitionKind, Granularity>();
        foreach (string optimizer in (string[])["adamw", "lion", "sgd"])
        {
            foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds])
            {
                cases.Add(optimizer, kind, Granularity.Tensor);
                cases.Add(optimizer, kind, Granularity.KvHead);
            }

            foreach (var kind in (TransitionKind[])[TransitionKind.UpDown, TransitionKind.NormGain])
            {
                cases.Add(optimizer, kind, Granularity.Tensor);
                cases.Add(optimizer, kind, Granularity.Channel);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_PowerOfTwoInSinglePrecision_EqualsChangedLearningRatesBitForBit(
        string optimizer, TransitionKind kind, Granularity granularity)
    {
        var (moved, reference) = Run(optimizer, kind, granularity, ScalarType.Float32, 2, steps: 100);
        moved.ShouldBe(reference);
        moved[^1].ShouldBeLessThan(moved[0]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_AnyFactor_EqualsChangedLearningRatesToRounding(string optimizer, TransitionKind kind, Granularity granularity)
    {
        var (moved, reference) = Run(optimizer, kind, granularity, ScalarType.Float64, 1.7, steps: 20);
        Largest(moved, reference).ShouldBeLessThan(1e-12);
    }

    [Theory]
    [InlineData("adamw", TransitionKind.QueryKey)]
    [InlineData("adamw", TransitionKind.ValueOutput)]
    [InlineData("sgd", TransitionKind.QueryKey)]
    public void Apply_AnyFactorInSinglePrecision_EqualsChangedLearningRatesNearly(string optimizer, TransitionKind kind)
    {
        var (moved, reference) = Run(optimizer, kind, Granularity.Tensor, ScalarType.Float32, 3, steps: 100);

        // A hundred steps amplify roundings, by how much depends on the run. What keeping the state does to it is the measure.
        var (kept, _) = Run(optimizer, kind, Granularity.Tensor, ScalarType.Float32, 3, steps: 100, StatePolicy.Keep);
        Largest(moved, reference).ShouldBeLessThan(0.05 * Largest(kept, reference));
        moved.ShouldNotBe(reference);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_StateKept_IsNotThat(string optimizer, TransitionKind kind, Granularity granularity)
    {
        foreach (var policy in (StatePolicy[])[StatePolicy.Keep, StatePolicy.Reset])
        {
            var (moved, reference) = Run(optimizer, kind, granularity, ScalarType.Float64, 2, steps: 5, policy);
            Largest(moved, reference).ShouldBeGreaterThan(1e-6);
            moved[..(Before + 1)].ShouldBe(reference[..(Before + 1)]);
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Apply_WithTheFusedKernel_EqualsChangedLearningRatesBitForBit(ScalarType type)
    {
        foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds])
        {
            using TinyTraining moved = new(type), reference = new(type);
            using AdamW left = Fused(moved), right = Fused(reference);
            var scheduler = new WiscaScheduler(
                moved.Parameters, moved.Plan(kind, Granularity.Tensor), new WiscaOptions { TransportEpsilon = true }, left);
            for (int step = 0; step < Before + 100; step++)
            {
                if (step == Before)
                {
                    Apply(scheduler, 2);
                    foreach (var (name, factors) in Factors(scheduler, 2))
                        right.MultiplyLearningRate(name, 1 / factors.Uniform!.Value, keepDecay: false);
                }

                long[] batch = moved.NextBatch();
                reference.NextBatch().ShouldBe(batch);
                moved.Backward(batch).ShouldBe(reference.Backward(batch), $"{kind} step {step}");
                left.Step(3e-3);
                right.Step(3e-3);
            }
        }

        static AdamW Fused(TinyTraining training) =>
            new(
                training.Parameters.Select(entry => (entry.Name, entry.Parameter)),
                new AdamWOptions
                {
                    Epsilon = 1e-6,
                    Parameters = new ParameterSettings { WeightDecay = 0 },
                });
    }

    private static (double[] Moved, double[] Reference) Run(
        string optimizer, TransitionKind kind, Granularity granularity, ScalarType type, double s, int steps,
        StatePolicy policy = StatePolicy.Transport)
    {
        using TinyTraining moved = new(type), reference = new(type);
        PlainOptimizer left = Create(optimizer, moved.Parameters), right = Create(optimizer, reference.Parameters);
        double learningRate = optimizer switch { "adamw" => 3e-3, "lion" => 3e-4, _ => 2e-2 };
        var scheduler = new WiscaScheduler(moved.Parameters, moved.Plan(kind, granularity), new WiscaOptions { State = policy }, left);
        double[] losses = new double[Before + steps], others = new double[Before + steps];
        for (int step = 0; step < losses.Length; step++)
        {
            if (step == Before)
            {
                Apply(scheduler, s);
                using var ungraded = no_grad();
                foreach (var (name, factors) in Factors(scheduler, s))
                {
                    var f = Multiplier(factors, type, reference[name].dim());
                    left.Epsilons[name].div_(f);
                    right.LearningRates[name].div_(optimizer == "sgd" ? f * f : f);
                }
            }

            long[] batch = moved.NextBatch();
            losses[step] = moved.Backward(batch);
            others[step] = reference.Backward(batch);
            left.Step(learningRate);
            right.Step(learningRate);
        }

        return (losses, others);
    }

    /// <summary>Factors s, 1/s, s^2 ... for the layers and groups in turn:
    /// what a head gets that should have got another one shows.</summary>
    private static ImmutableArray<ImmutableArray<GroupBalance>> Balances(WiscaScheduler scheduler, double s) =>
    [
        .. scheduler.Plan.Exchanges.Select(exchange => (ImmutableArray<GroupBalance>)
        [
            .. exchange.Groups.Select(
                (label, group) =>
                    new GroupBalance(
                        label,
                        1,
                        1,
                        ((exchange.Layer + group) % 3) switch
                        {
                            0 => s,
                            1 => 1 / s,
                            _ => s * s,
                        },
                        GroupOutcome.Scaled,
                        null)),
        ]),
    ];

    private static Tensor Multiplier(AxisFactors factors, ScalarType type, long dimensions)
    {
        var f = ones(1, type);
        if (factors.Rows is not null) f = tensor(factors.Rows, type);
        if (factors.Rows is not null && dimensions == 2) f = f.unsqueeze(1);
        return factors.Columns is null ? f : f * tensor(factors.Columns, type);
    }

    private static void Apply(WiscaScheduler scheduler, double s) =>
        scheduler.Apply(Before, () => new TransitionSolution(scheduler.Plan, Balances(scheduler, s)));

    private static Dictionary<string, AxisFactors> Factors(WiscaScheduler scheduler, double s) =>
        new TransitionSolution(scheduler.Plan, Balances(scheduler, s)).Factors((name, axis) => scheduler.LengthOf(name, axis));

    private static PlainOptimizer Create(string name, IReadOnlyList<(string Name, Parameter Parameter)> parameters) => name switch
    {
        "adamw" => PlainOptimizer.AdamW(parameters),
        "lion" => PlainOptimizer.Lion(parameters),
        _ => PlainOptimizer.Sgd(parameters),
    };

    private static double Largest(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y) / Math.Abs(y)).Max();
}

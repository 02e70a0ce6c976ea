using CsCheck;
using Wisca.Torch.Optimizers;

namespace Wisca.Torch.Tests.Optimizers;

public sealed class LearningRateScheduleTests
{
    /// <summary>Worked out by hand for a peak of 2, 20 steps, 4 of warm-up, and a decay of 8 for WSD.</summary>
    [Theory]
    [InlineData("constant", new[] { 0.5, 1, 1.5, 2, 2, 2, 2, 2, 2 })]
    [InlineData("linear", new[] { 0.5, 1, 1.5, 2, 2, 1.55, 1.1, 0.65, 0.2 })]
    [InlineData("cosine", new[] { 0.5, 1, 1.5, 2, 2, 1.736396103067893, 1.1, 0.463603896932107, 0.2 })]
    [InlineData("wsd-linear", new[] { 0.5, 1, 1.5, 2, 2, 2, 2, 1.1, 0.2 })]
    [InlineData("wsd-sqrt", new[] { 0.5, 1, 1.5, 2, 2, 2, 2, 0.7272077938642145, 0.2 })]
    [InlineData("wsd-cosine", new[] { 0.5, 1, 1.5, 2, 2, 2, 2, 1.1, 0.2 })]
    public void At_KnownSteps_IsTheGoldenValue(string name, double[] expected)
    {
        var schedule = name switch
        {
            "constant" => LearningRateSchedule.Constant(2, 20, 4),
            "linear" => LearningRateSchedule.Linear(2, 20, 4, 0.1),
            "cosine" => LearningRateSchedule.Cosine(2, 20, 4, 0.1),
            "wsd-linear" => LearningRateSchedule.WarmupStableDecay(2, 20, 4, 8, DecayShape.Linear, 0.1),
            "wsd-sqrt" => LearningRateSchedule.WarmupStableDecay(2, 20, 4, 8, minimumRatio: 0.1),
            _ => LearningRateSchedule.WarmupStableDecay(2, 20, 4, 8, DecayShape.Cosine, 0.1),
        };
        long[] steps = [0, 1, 2, 3, 4, 8, 12, 16, 20];
        for (int i = 0; i < steps.Length; i++) schedule.At(steps[i]).ShouldBe(expected[i], 1e-14, $"step {steps[i]}");
        schedule.At(1000).ShouldBe(expected[^1], 1e-14);
        Should.Throw<ArgumentOutOfRangeException>(() => schedule.At(-1));
    }

    [Fact]
    public void At_AnySchedule_ClimbsThenFallsWithinItsBounds() =>
        Gen.Select(Gen.Long[0, 20], Gen.Long[0, 20], Gen.Long[1, 20], Gen.Enum<DecayShape>(), Gen.Double[0, 1])
            .Sample(
                (warmup, decay, stable, shape, ratio) =>
                {
                    var schedule = LearningRateSchedule.WarmupStableDecay(3e-4, warmup + decay + stable, warmup, decay, shape, ratio);
                    schedule.Mistakes().ShouldBeEmpty();
                    double[] rates = [.. Enumerable.Range(0, (int)schedule.TotalSteps).Select(step => schedule.At(step))];
                    rates.Max().ShouldBe(3e-4);
                    rates.ShouldAllBe(rate => rate > 0 || (ratio == 0));
                    for (int step = 1; step < rates.Length; step++)
                    {
                        if (step < warmup)
                            rates[step].ShouldBeGreaterThan(rates[step - 1]);
                        else
                            rates[step].ShouldBeLessThanOrEqualTo(rates[step - 1]);
                    }
                });

    [Fact]
    public void At_Impossible_ListsEveryMistake()
    {
        var schedule = new LearningRateSchedule(-1, 10) { WarmupSteps = 8, DecaySteps = 3, MinimumRatio = 1.5 };
        Should
            .Throw<WiscaException>(() => schedule.At(0))
            .Message.ShouldBe(
                "learning-rate schedule: the peak is -1, expected a positive number; "
                + "warm-up (8 steps) and decay (3) do not fit into a run of 10; "
                    + "the minimum ratio is 1.5, expected a number from 0 to 1");
        new LearningRateSchedule(1, 0) { WarmupSteps = -1, DecaySteps = -2, Shape = (DecayShape)7 }.Mistakes().Count.ShouldBe(4);
        LearningRateSchedule.Cosine(1, 10, 20).Mistakes().ShouldBe(["warm-up (20 steps) and decay (0) do not fit into a run of 10"]);
        LearningRateSchedule.Cosine(1, 10, 10).At(9).ShouldBe(1);
    }
}

using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Tests.Reports;

/// <summary>Results that no run made, with losses as a test wants them.</summary>
internal static class MadeResult
{
    private const long Tokens = 409_600;

    /// <summary>A completed run that comes down in a straight line from a loss of 5.</summary>
    public static RunResult Of(PlannedRun run, double validation, double test) => Of(run) with
    {
        HeldOut =
        [
            .. Enumerable
                .Range(0, 5)
                .Select(quarter => new HeldOutPoint(
                    quarter * 25, quarter * Tokens / 4, 5 + ((validation - 5) * quarter / 4), 5 + ((test - 5) * quarter / 4))),
        ],
    };

    public static RunResult Diverged(PlannedRun run) => Of(run) with { Outcome = RunOutcome.Diverged, Reason = "step 3: the loss is NaN" };

    private static RunResult Of(PlannedRun run) => new()
    {
        Version = RunResult.CurrentVersion,
        Id = run.Id,
        Label = run.Label,
        Outcome = RunOutcome.Completed,
        Configuration = run.Config.ToYaml(false),
        Seed = run.Seed,
        LearningRate = run.LearningRate,
        Parameters = 1000,
        InitialWeights = $"weights of {run.Seed}",
        Steps = 100,
        Tokens = Tokens,
        Seconds = 10,
        TrainingLoss = [new LossPoint(1, 10, 5.5), new LossPoint(100, 1000, 2.25)],
        HeldOut = [],
        Imbalances = [new LayerSeries("qk", 0, [1, 100], [2, 0.125])],
        Norms = [new LayerSeries("q", 0, [1, 100], [12.5, double.PositiveInfinity])],
        Transitions = [new AppliedFactors(0, "qk", 0, 1, 0.5, 0.5, 0.5)],
        Scores = new Dictionary<string, RunScore>(),
        Environment = new RunEnvironment(
            new Dictionary<string, string> { ["wisca"] = "1" }, "system", "processor", 2, 1, DateTimeOffset.UnixEpoch),
    };
}

using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Training;

namespace Wisca.Comparison.Running;

/// <summary>Estimates what runs cost.</summary>
public static class CostEstimate
{
    /// <summary>What a thread computes where nothing was measured:
    /// floating-point operations per second of small models in float32.</summary>
    public const double AssumedFlops = 2e10;

    /// <summary>The cost of each run once, finished or not.</summary>
    /// <param name="study">The study.</param>
    /// <param name="runs">Its runs.</param>
    /// <param name="checks">What each of them trains.</param>
    /// <param name="results">Results so far, by id.</param>
    public static IReadOnlyList<RunCost> Of(
        Study study,
        IEnumerable<PlannedRun> runs,
        IReadOnlyDictionary<(string Regime, string Model, string Arm), TrainingCheck> checks,
        IReadOnlyDictionary<string, RunResult> results)
    {
        ArgumentNullException.ThrowIfNull(study);
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentNullException.ThrowIfNull(checks);
        ArgumentNullException.ThrowIfNull(results);
        var once = runs.DistinctBy(run => run.Id).ToList();
        var rates = once.Where(run => Rate(run) > 0)
            .GroupBy(run => (run.Regime, run.Model))
            .ToDictionary(group => group.Key, group => group.Average(Rate));
        return
        [
            .. once.Select(run =>
            {
                var check = checks[(run.Regime, run.Model, run.Arm)];
                double flops = check.FlopsPerToken * check.Tokens;
                bool measured = rates.TryGetValue((run.Regime, run.Model), out double rate);
                return new RunCost(
                    run, results.ContainsKey(run.Id), check.Tokens, flops,
                    TimeSpan.FromSeconds(measured ? check.Tokens / rate : flops / (AssumedFlops * study.Config.Threads)), measured);
            }),
        ];

        double Rate(PlannedRun run) => results.GetValueOrDefault(run.Id)?.TokensPerSecond() ?? 0;
    }
}

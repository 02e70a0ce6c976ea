using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Reports;

/// <summary>What a step of an arm costs, as a multiple of the baseline's: transitions, rotations and the update included.</summary>
/// <param name="Regime">The regime.</param>
/// <param name="Model">The model.</param>
/// <param name="Arm">The arm.</param>
/// <param name="Cost">The median over pairs of runs of one seed and learning rate.</param>
/// <param name="Least">The least of the pairs.</param>
/// <param name="Greatest">The greatest.</param>
/// <param name="Pairs">Number of pairs.</param>
public sealed record StepCost(string Regime, string Model, string Arm, double Cost, double Least, double Greatest, int Pairs)
{
    /// <summary>Costs from finished runs, by the seconds of processors that each took: pairs on one kind of machine.</summary>
    /// <param name="study">The study.</param>
    /// <param name="results">Its results by id.</param>
    public static IReadOnlyList<StepCost> Of(Study study, IReadOnlyDictionary<string, RunResult> results)
    {
        ArgumentNullException.ThrowIfNull(study);
        ArgumentNullException.ThrowIfNull(results);
        var timed = study.Plan(results).Runs
            .Where(run => results.GetValueOrDefault(run.Id) is { ProcessorSeconds: > 0, Outcome: RunOutcome.Completed })
            .Select(run => (Run: run, Result: results[run.Id]))
            .Select(entry => (entry.Run, Seconds: entry.Result.ProcessorSeconds!.Value / entry.Result.Steps,
                entry.Result.Environment.Processor))
            .ToList();
        return
        [
            .. timed
                .Where(arm => arm.Run.Arm != study.Config.Baseline)
                .Join(
                    timed.Where(arm => arm.Run.Arm == study.Config.Baseline), Pair, Pair,
                    (arm, baseline) => (arm.Run, Ratio: arm.Seconds / baseline.Seconds))
                .GroupBy(pair => (pair.Run.Regime, pair.Run.Model, pair.Run.Arm))
                .Select(group =>
                {
                    double[] ratios = [.. group.Select(pair => pair.Ratio).Order()];
                    double median = (ratios[(ratios.Length - 1) / 2] + ratios[ratios.Length / 2]) / 2;
                    return new StepCost(
                        group.Key.Regime, group.Key.Model, group.Key.Arm, median, ratios[0], ratios[^1], ratios.Length);
                }),
        ];

        static (string, string, long, double, string) Pair((PlannedRun Run, double Seconds, string Processor) entry) =>
            (entry.Run.Regime, entry.Run.Model, entry.Run.Seed, entry.Run.LearningRate, entry.Processor);
    }
}

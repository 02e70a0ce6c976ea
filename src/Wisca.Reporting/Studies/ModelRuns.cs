using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;

namespace Wisca.Reporting.Studies;

/// <summary>A model of a study together with the results of its runs.</summary>
internal sealed class ModelRuns(ComparedModel model, string baseline, double confidence, IReadOnlyDictionary<string, RunResult> results)
{
    // As many besides the baseline as a plot holds: there are six inks.
    private const int ArmsPerPlot = 5;

    public ComparedModel Model => model;

    public string Baseline => baseline;

    public double Confidence => confidence;

    public string Title => $"{model.Regime}: {model.Name}";

    /// <summary>The results of an arm at a learning rate, in the order of seeds.</summary>
    public IReadOnlyList<RunResult> At(ComparedArm arm, double? rate) =>
        [
            .. arm
                .Runs.Where(run => run.LearningRate == rate && results.ContainsKey(run.Id))
                .OrderBy(run => run.Seed)
                .Select(run => results[run.Id]),
        ];

    /// <summary>The completed runs of an arm at its best learning rate.</summary>
    public IReadOnlyList<RunResult> AtBest(ComparedArm arm) =>
        [.. At(arm, arm.BestLearningRate).Where(run => run.Outcome == RunOutcome.Completed)];

    /// <summary>The arms in handfuls that a plot can hold, the baseline in each.</summary>
    public IEnumerable<IReadOnlyList<ComparedArm>> Handfuls()
    {
        var others = model.Arms.Where(arm => arm.Name != baseline).ToList();
        var first = model.Arms.Where(arm => arm.Name == baseline);
        return others.Count == 0 ? [[.. first]] : others.Chunk(ArmsPerPlot).Select(arms => (IReadOnlyList<ComparedArm>)[.. first, .. arms]);
    }
}

using System.Globalization;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Reporting.Documents;

namespace Wisca.Reporting.Studies;

/// <summary>What a report of a study says, in order.</summary>
internal static class StudyDocument
{
    public static Document Of(StudyReport report, IReadOnlyDictionary<string, RunResult> results)
    {
        var models = report.Models.Select(model => new ModelRuns(model, report.Baseline, report.Confidence, results)).ToList();
        return new Document(
            report.Name,
            $"{report.Finished} of {report.Runs} runs are finished"
            + (report.Failures.Count > 0 ? $", {report.Failures.Count} failed" : "")
            + (report.Waiting.Count > 0 ? ", and there are more that wait for them" : "")
            + $". Every arm is compared with {report.Baseline}, seed by seed, on text that nothing was chosen by; "
            + $"intervals are {StudyFormat.Share(report.Confidence)}.",
            [
                new Verdicts(report.Verdicts.Count > 0 ? report.Verdicts : ["Nothing is finished yet."]),
                .. models.Select(Model),
                Runs(report, models, results),
                Repeat(report, models, results),
                FinePrint(report),
            ]);
    }

    private static Section Model(ModelRuns runs)
    {
        var model = runs.Model;
        return new Section(runs.Title,
        [
            new Paragraph(
                $"{Count(model.Parameters)} parameters{(model.InitialLossSpread is null ? "" : " that train")}, {Count(model.Tokens)} "
                + $"tokens a run. {Beginning(model)} {Comparisons(runs)}"),
            StudyTables.Arms(runs),
            .. Some(StudyFigures.Differences(runs)),
            .. StudyFigures.Curves(runs),
            .. StudyFigures.TimeCurves(runs),
            .. StudyFigures.EqualTokens(runs),
            .. StudyFigures.Rates(runs),
            .. Some(StudyTables.Scores(runs)),
            .. Some(StudyTables.ManySeeds(runs)),
            .. Some(StudyTables.EqualRates(runs)).Select(table => new Folded("At equal learning rates", [table])),
            .. Some(StudyTables.Inside(runs)),
            .. StudyFigures.Diagonals(runs),
            StudyTables.Settings(runs),
            .. StudyFigures.TrainingCurves(runs).ToList() is { Count: > 0 } training
                ? (Block[])[new Folded("Training loss", training) { InMarkdown = false }]
                : [],
            .. model
                .Arms.Select(arm =>
                    (
                        arm,
                        Figures: (List<Block>)
                            [
                                .. Some(LayerFigures.Imbalances(runs, arm)),
                                .. Some(LayerFigures.Factors(runs, arm)),
                                .. Some(LayerFigures.Norms(runs, arm)),
                            ]))
                .Where(entry => entry.Figures.Count > 0)
                .Select(entry => new Folded($"Layers of {entry.arm.Name}", entry.Figures) { InMarkdown = false }),
        ]);
    }

    private static string Beginning(ComparedModel model)
    {
        const string less = "what is paired here is less than it seems.";
        if (model.InitialLossSpread is not { } spread)
            return model.SharedInitialWeights
                ? "All runs of a seed began with the same weights."
                : $"NOT all runs of a seed began with the same weights: {less}";
        string apart = spread.ToString("0.0e+0", CultureInfo.InvariantCulture);
        return model.SharedInitialWeights
            ? $"All runs of a seed began as the same function: before the first step their test losses differ by {apart} nats at most."
            : $"NOT all runs of a seed began as the same function: before the first step their test losses differ by {apart} nats, and "
                + $"{less}";
    }

    private static string Comparisons(ModelRuns runs) => runs.Model.Comparisons switch
    {
        0 => "No arm has two finished seeds in common with the baseline yet.",
        1 => $"One arm was compared with {runs.Baseline}.",
        var count =>
            $"{count} arms were compared with {runs.Baseline}: the chance to find a difference by accident grows with that number, and "
            + "Holm's p takes it into account.",
    };

    private static Section Runs(StudyReport report, IReadOnlyList<ModelRuns> models, IReadOnlyDictionary<string, RunResult> results)
    {
        var diverged = models
            .SelectMany(model => model.Model.Arms.SelectMany(arm => arm.Runs))
            .Where(run => run.Outcome == RunOutcome.Diverged)
            .DistinctBy(run => run.Id)
            .ToList();
        return new Section("Runs",
        [
            new Paragraph(
                $"{report.Runs} are known, {report.Finished} finished, {diverged.Count} of those diverged, {report.Failures.Count} "
                + "failed. runs/ID/result.json has everything that is known of a run."),
            .. diverged.Count > 0
                ? (Block[])
                    [
                        new Section(
                            "Diverged",
                            [
                                new Items([
                                    .. diverged.Select(run =>
                                        results.TryGetValue(run.Id, out var result)
                                            ? $"{result.Label}: {result.Reason ?? "diverged"}"
                                            : $"{run.Id}: diverged"),
                                ]),
                            ]),
                    ]
                : [],
            .. report.Failures.Count > 0
                ? (Block[])
                    [new Section("Failed", [new Items([.. report.Failures.Select(failure => $"{failure.Label}: {failure.Reason}")])])]
                : [],
            .. report.Waiting.Count > 0 ? (Block[])[new Section("Waiting", [new Items(report.Waiting)])] : [],
            new Folded("All finished runs", [StudyTables.Runs(report)]),
        ]);
    }

    private static Section Repeat(StudyReport report, IReadOnlyList<ModelRuns> models, IReadOnlyDictionary<string, RunResult> results) =>
        new(
            "To repeat it",
            [
                new Paragraph(
                    "Save the study's configuration below as study.yaml. The first command makes the runs that are missing, the second "
                    + "prints what they would cost, the third makes this report again from the folder."),
                new Code(
                    "Commands", "sh",
                    "wisca compare --config study.yaml\nwisca compare --config study.yaml --dry-run\nwisca report FOLDER"),
                .. report.Environments.Count > 0 ? (Block[])[new Paragraph("It was computed by:"), new Items(report.Environments)] : [],
                new Folded("The study's configuration", [new Code("study.yaml", "yaml", report.Configuration)]),
                .. models
                    .Select(model =>
                        (
                            model,
                            Result: model
                                .Model.Arms.SelectMany(arm => arm.Runs)
                                .Select(run => results.GetValueOrDefault(run.Id))
                                .FirstOrDefault(result => result is not null)))
                    .Where(entry => entry.Result is not null)
                    .Select(entry => new Folded(
                        $"The whole configuration of {entry.Result!.Label}",
                        [new Code("Configuration", "yaml", entry.Result.Configuration)])
                    {
                        InMarkdown = false,
                    }),
            ]);

    private static Section FinePrint(StudyReport report)
    {
        string level = StudyFormat.Share(report.Confidence);
        string beginnings = report.Models.Any(model => model.InitialLossSpread is not null)
            ? "as the same function and see the same examples"
            : "with the same weights and see the same text";
        return new Section("Fine print",
        [
            new Items(
            [
                $"Paired: at a seed all arms begin {beginnings} in the same order; a difference is an arm's minus the baseline's at the "
                + "same seed. Seeds that only one of the two has finished are left out.",
                "Learning rate: each arm has that of its rates at which its mean loss on the validation text is lowest, over the seeds "
                + "that all of its rates have; a rate at which a run diverged is out. The test text, on which everything here is "
                + "reported, chose nothing.",
                "An arm that was tried at more rates than another had more chances; the table says how many.",
                $"Interval: mean plus and minus Student's t times the standard error of the paired differences, {level}. It takes the "
                + "seeds as a sample of all seeds, and the differences as normally distributed. \"No difference shown\" means that it "
                + "includes zero, not that there is no difference.",
                $"From {PairedComparison.ManyPairs} seeds on there are also the percentile bootstrap (10,000 resamples, always the same "
                + "ones) and the exact sign test; "
                + $"with {PairedComparison.ManyPairs} seeds the least that the sign test can give is 0.0313.",
                "Several arms: Holm's p is that of the t-test, adjusted for all arms of the model and regime. "
                + "Intervals and verdicts are not adjusted.",
                "Perplexity is exp of the mean loss; its change in percent is 100 (exp(difference) - 1), "
                + "so that -0.01 nats are about -1 %.",
                "Tokens to equal loss: the share of the baseline's tokens after which an arm first reaches the baseline's final test "
                + "loss, by a straight line between evaluations.",
                "A run that diverged is in no mean; the tables say how many did. Arms whose configurations are equal share their runs.",
            ]),
        ]);
    }

    private static IEnumerable<T> Some<T>(T? block)
        where T : class => block is null ? [] : [block];

    private static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

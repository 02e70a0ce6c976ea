using System.Globalization;
using Wisca.Attention;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Reporting.Documents;

namespace Wisca.Reporting.Studies;

/// <summary>The tables of a study.</summary>
internal static class StudyTables
{
    private static readonly Cell Nothing = new("");

    /// <summary>The arms with their intervals.</summary>
    public static Table Arms(ModelRuns runs) => new(
        $"Arms of {runs.Title}, each at its best learning rate",
        [
            new("arm"),
            new("shows"),
            new("change of perplexity", true),
            new("difference of loss, nats", true),
            new("p", true),
            new("Holm's p", true),
            new("test loss", true),
            new("perplexity", true),
            new("best rate", true),
            new("rates", true), new("seeds", true), new("tokens to equal loss", true),
        ],
        [.. runs.Model.Arms.Select(arm => (IReadOnlyList<Cell>)
        [
            new(arm.Name),
            arm.Name == runs.Baseline ? new("baseline", null, "baseline") : new(StudyFormat.Words(arm.AtBest), null, Meaning(arm.AtBest)),
            arm.AtBest is { } at ? new(StudyFormat.Change(at), Finite(at.PerplexityChange)) : Nothing,
            arm.AtBest is { } loss ? new(StudyFormat.Difference(loss.Loss), Finite(loss.Loss.Mean)) : Nothing,
            arm.AtBest is null ? Nothing : new(StudyFormat.Probability(arm.AtBest.Loss.PValue), arm.AtBest.Loss.PValue),
            arm.AtBest is null ? Nothing : new(StudyFormat.Probability(arm.AtBest.HolmPValue), arm.AtBest.HolmPValue),
            Loss(arm.TestLoss),
            new(StudyFormat.Perplexity(arm.Perplexity), arm.Perplexity),
            new(StudyFormat.Rate(arm.BestLearningRate), arm.BestLearningRate),
            Count(arm.LearningRates.Count),
            Count(arm.Runs.Count(run => run.LearningRate == arm.BestLearningRate)),
            new(StudyFormat.EqualLoss(arm.EqualLoss), arm.EqualLoss?.Share),
        ])]) { Sortable = true };

    /// <summary>In which settings arms differ from the baseline.</summary>
    public static Table Settings(ModelRuns runs) =>
        new(
            $"What the arms of {runs.Title} set otherwise than {runs.Baseline}",
            [new("arm"), new("settings")],
            [
                .. runs.Model.Arms.Select(arm =>
                    (IReadOnlyList<Cell>)[new(arm.Name), new(arm.Settings.Count > 0 ? string.Join("; ", arm.Settings) : "-")]),
            ]);

    /// <summary>Bootstrap and sign test, where there are seeds enough; else null.</summary>
    public static Table? ManySeeds(ModelRuns runs)
    {
        var many = runs.Model.Arms.Where(arm => arm.AtBest?.Loss.Bootstrap is not null).ToList();
        return many.Count == 0 ? null : new Table(
            $"Without the normal distribution, from {PairedComparison.ManyPairs} seeds on, {runs.Title}",
            [new("arm"), new("mean difference, nats", true), new("bootstrap interval"), new("sign test p", true)],
            [.. many.Select(arm => (IReadOnlyList<Cell>)
            [
                new(arm.Name),
                new(StudyFormat.SignedLoss(arm.AtBest!.Loss.Mean), arm.AtBest.Loss.Mean),
                new(StudyFormat.LossRange(arm.AtBest.Loss.Bootstrap)),
                new(StudyFormat.Probability(arm.AtBest.Loss.SignTest), arm.AtBest.Loss.SignTest),
            ])]) { Sortable = true };
    }

    /// <summary>Comparisons at equal learning rates; null where there is none.</summary>
    public static Table? EqualRates(ModelRuns runs)
    {
        var rows = runs
            .Model.Arms.SelectMany(arm => arm.AtEqualRates.Select(at => (arm, at)))
            .OrderBy(entry => entry.at.LearningRate)
            .ToList();
        return rows.Count == 0 ? null : new Table(
            $"At equal learning rates, {runs.Title}",
            [new("arm"), new("rate", true), new("differences by seed, nats"), new("mean", true), new("shows")],
            [.. rows.Select(row => (IReadOnlyList<Cell>)
            [
                new(row.arm.Name),
                new(StudyFormat.Rate(row.at.LearningRate), row.at.LearningRate),
                new(string.Join(", ", row.at.Loss.Differences.Select(StudyFormat.SignedLoss))),
                new(StudyFormat.Difference(row.at.Loss), Finite(row.at.Loss.Mean)),
                new(StudyFormat.Words(row.at), null, Meaning(row.at)),
            ])]) { Sortable = true };
    }

    /// <summary>Evaluations of the trained models; null where there is none.</summary>
    public static Table? Scores(ModelRuns runs)
    {
        var rows = runs.Model.Arms.SelectMany(arm => arm.Scores.Select(score => (arm, score))).ToList();
        return rows.Count == 0 ? null : new Table(
            $"Evaluations of the trained models, {runs.Title}",
            [new("arm"), new("evaluation"), new(runs.Baseline, true), new("arm's", true), new("paired difference", true), new("better is")],
            [.. rows.Select(row => (IReadOnlyList<Cell>)
            [
                new(row.arm.Name),
                new(row.score.Setting is { } setting ? $"{row.score.Name}, {setting}" : row.score.Name),
                Loss(row.score.Baseline),
                Loss(row.score.Arm),
                new(StudyFormat.Difference(row.score.Difference), Finite(row.score.Difference.Mean)),
                new(row.score.HigherIsBetter ? "more" : "less"),
            ])]) { Sortable = true };
    }

    /// <summary>What went on inside the attention, in a line for each arm; null where nothing was recorded.</summary>
    public static Table? Inside(ModelRuns runs)
    {
        var rows = runs
            .Model.Arms.Select(arm => (arm, Runs: runs.AtBest(arm)))
            .Where(entry => entry.Runs.Any(run => run.Imbalances.Count > 0 || run.Transitions.Count > 0))
            .ToList();
        return rows.Count == 0 ? null : new Table(
            $"Inside the attention, {runs.Title}",
            [
                new("arm"),
                new("log2 |W_q|/|W_k| at first", true),
                new("at the end", true),
                new("log2 |W_v|/|W_o| at first", true),
                new("at the end", true),
                new("transitions a run", true),
                new("least factor", true),
                new("greatest factor", true),
            ],
            [.. rows.Select(row => (IReadOnlyList<Cell>)
            [
                new(row.arm.Name),
                .. (Cell[])
                    [
                        Imbalance(row.Runs, TransitionKind.QueryKey, 0), Imbalance(row.Runs, TransitionKind.QueryKey, ^1),
                        Imbalance(row.Runs, TransitionKind.ValueOutput, 0), Imbalance(row.Runs, TransitionKind.ValueOutput, ^1),
                    ],
                Number(row.Runs.Average(run => run.Transitions.Select(applied => applied.Step).Distinct().Count()), "0.#"),
                .. row.Runs.SelectMany(run => run.Transitions).ToList() is { Count: > 0 } applied
                    ? (Cell[])[Number(applied.Min(one => one.Least), "G4"), Number(applied.Max(one => one.Greatest), "G4")]
                    : [new("-"), new("-")],
            ])]) { Sortable = true };
    }

    /// <summary>Every run.</summary>
    public static Table Runs(StudyReport report) => new(
        "Finished runs",
        [
            new("run"), new("regime"), new("model"), new("arm"), new("rate", true), new("seed", true), new("outcome"),
            new("validation loss", true), new("test loss", true), new("tokens/s", true),
        ],
        [.. report.Models.SelectMany(model => model.Arms.SelectMany(arm => arm.Runs.Select(run => (IReadOnlyList<Cell>)
        [
            new(run.Id),
            new(model.Regime),
            new(model.Name),
            new(arm.Name),
            new(StudyFormat.Rate(run.LearningRate), run.LearningRate),
            new(run.Seed.ToString(CultureInfo.InvariantCulture), run.Seed),
            new(
                run.Outcome.Name(), null,
                run.Outcome == RunOutcome.Completed ? null : "higher"),
            Loss(run.Validation),
            Loss(run.Test),
            Number(run.TokensPerSecond, "N0"),
        ])))]) { Sortable = true };

    public static Cell Loss(double? loss) => new(StudyFormat.Loss(loss), loss);

    private static Cell Count(int count) => new(count.ToString(CultureInfo.InvariantCulture), count);

    private static Cell Number(double number, string format) => new(number.ToString(format, CultureInfo.InvariantCulture), number);

    private static double? Finite(double number) => double.IsFinite(number) ? number : null;

    private static Cell Imbalance(IReadOnlyList<RunResult> runs, TransitionKind pair, Index at)
    {
        double[] values =
        [
            .. runs.SelectMany(run => run.Imbalances)
                .Where(series => series.Name == pair.Name() && series.Values.Count > 0)
                .Select(series => series.Values[at]),
        ];
        return values.Length == 0 ? new("-") : new(StudyFormat.WithSign(values.Average(), "0.000"), values.Average());
    }

    private static string? Meaning(ArmDifference? difference) => difference?.Loss.Verdict switch
    {
        Verdict.Lower => "lower",
        Verdict.Higher => "higher",
        Verdict.NoDifferenceShown => "none",
        _ => null,
    };
}

using System.Globalization;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Comparison.Studies;
using Wisca.Settings;

namespace Wisca.Comparison.Reports;

/// <summary>Makes the statistics of a study from the results of its runs.</summary>
public static class StudyStatistics
{
    private const string Average = "average";

    // Of each kind, in a verdict of one sentence.
    private const int NamedArms = 4;

    // Nats by which a function may differ whose weights are written otherwise, in float32:
    // far above rounding, and far below what arms differ by.
    private const double SameFunction = 1e-4;

    /// <summary>Makes the statistics of what is finished.</summary>
    /// <param name="study">The study.</param>
    /// <param name="results">Results by id; those of other studies are passed over.</param>
    /// <param name="failures">Runs that failed.</param>
    public static StudyReport Of(Study study, IReadOnlyDictionary<string, RunResult> results, IReadOnlyList<RunFailure> failures)
    {
        ArgumentNullException.ThrowIfNull(study);
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(failures);
        var plan = study.Plan(results);
        var finished = plan.Runs.Where(run => results.ContainsKey(run.Id)).Select(run => new Entry(run, results[run.Id])).ToList();
        var models = study
            .Regimes.SelectMany(regime =>
                study.Models.Select(model => finished.Where(entry => entry.Run.Regime == regime.Name && entry.Run.Model == model).ToList()))
            .Where(entries => entries.Count > 0).Select(entries => Compare(study, entries)).ToList();
        return new StudyReport
        {
            Version = StudyReport.CurrentVersion,
            Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(study.Config.Output))),
            Verdicts = [.. models.Select(model => Sentence(study.Config.Baseline, model))],
            Baseline = study.Config.Baseline,
            Confidence = study.Config.Confidence,
            Runs = plan.Runs.DistinctBy(run => run.Id).Count(),
            Finished = finished.DistinctBy(entry => entry.Run.Id).Count(),
            Waiting = plan.Waiting,
            Failures = failures,
            Configuration = SettingsWriter.Write(study.Config, commented: false),
            Environments =
            [
                .. finished
                    .Select(entry => entry.Result.Environment)
                    .Select(machine =>
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{machine.Processor}, {machine.Cores} cores, {machine.Threads} threads a run; {machine.OperatingSystem}; "
                            + $"{string.Join(", ", machine.Versions.Select(version => $"{version.Key} {version.Value}"))}"))
                    .Distinct(),
            ],
            Models = models,
        };
    }

    private static ComparedModel Compare(Study study, List<Entry> entries)
    {
        var first = entries[0].Run;
        var byArm = study
            .Arms.Select(arm => (Arm: arm, Entries: entries.Where(entry => entry.Run.Arm == arm).ToList()))
            .Where(group => group.Entries.Count > 0)
            .ToList();
        var baseline = byArm.FirstOrDefault(group => group.Arm == study.Config.Baseline).Entries ?? [];
        double? best = Best(baseline);
        var seeds = entries.GroupBy(entry => entry.Run.Seed).ToList();
        double? spread = study.Config.Runs == RunCommand.Finetune ? seeds.Max(Spread) : null;
        var arms = byArm.Select(group => CompareArm(study, first, group.Arm, group.Entries, baseline, best)).ToList();

        // All arms of a model and regime are one family of tests.
        var tested = arms.Where(arm => arm.AtBest?.Loss.PValue is not null).ToList();
        var adjusted = PairedComparison.Holm([.. tested.Select(arm => arm.AtBest!.Loss.PValue!.Value)]);
        return new ComparedModel
        {
            Regime = first.Regime,
            Name = first.Model,
            Parameters = entries[0].Result.Parameters,
            Tokens = entries.Max(entry => entry.Result.Tokens),
            SharedInitialWeights = spread is { } apart
                ? apart <= SameFunction
                : seeds.All(seed => seed.Select(entry => entry.Result.InitialWeights).Distinct().Count() == 1),
            InitialLossSpread = spread,
            Comparisons = tested.Count,
            Arms =
            [
                .. arms.Select(arm =>
                    tested.IndexOf(arm) is >= 0 and var index
                        ? arm with
                        {
                            AtBest = arm.AtBest! with { HolmPValue = adjusted[index] },
                        }
                        : arm),
            ],
        };
    }

    private static ComparedArm CompareArm(
        Study study, PlannedRun first, string arm, List<Entry> entries, List<Entry> baseline, double? baselineBest)
    {
        double confidence = study.Config.Confidence;
        double? best = Best(entries);
        bool isBaseline = arm == study.Config.Baseline;
        List<Entry> ours = At(entries, best), theirs = At(baseline, baselineBest);
        double? loss = ours.Select(entry => entry.Result.Final()?.Test).Average();
        bool paired = !isBaseline && ours.Count > 0 && theirs.Count > 0;
        return new ComparedArm
        {
            Name = arm,
            Settings =
            [
                .. SettingsWriter
                    .Differences(
                        study.ConfigOf(first.Regime, first.Model, study.Config.Baseline),
                        study.ConfigOf(first.Regime, first.Model, arm))
                    .Select(change => $"{change.Key}: {change.After}"),
            ],
            Runs =
            [
                .. entries
                    .OrderBy(entry => entry.Run.LearningRate)
                    .ThenBy(entry => entry.Run.Seed)
                    .Select(entry => new RunSummary(
                        entry.Run.Id, entry.Run.Seed, entry.Run.LearningRate, entry.Result.Outcome, entry.Result.Final()?.Validation,
                        entry.Result.Final()?.Test, Math.Round(entry.Result.TokensPerSecond(), 1))),
            ],
            LearningRates = [.. entries.Select(entry => entry.Run.LearningRate).Distinct().Order()],
            BestLearningRate = best,
            TestLoss = loss,
            Perplexity = loss is { } mean ? Math.Exp(mean) : null,
            AtBest = paired ? Difference(ours, theirs, confidence) : null,
            AtEqualRates = isBaseline
                ? []
                :
                [
                    .. entries
                        .Select(entry => entry.Run.LearningRate)
                        .Intersect(baseline.Select(entry => entry.Run.LearningRate))
                        .Order()
                        .Select(rate => Difference(At(entries, rate), At(baseline, rate), confidence)),
                ],
            EqualTokens = paired ? Curve(ours, theirs, confidence) : [],
            EqualLoss = paired ? EqualLoss(ours, theirs, confidence) : null,
            Scores = paired ? Scores(ours, theirs, confidence) : [],
        };
    }

    /// <summary>How far the losses before the first step are apart.</summary>
    private static double Spread(IEnumerable<Entry> entries)
    {
        var losses = entries
            .Select(entry => entry.Result.HeldOut)
            .Where(points => points is [{ Step: 0 }, ..])
            .Select(points => points[0].Test)
            .ToList();
        return losses.Count == 0 ? 0 : losses.Max() - losses.Min();
    }

    private static double? Best(List<Entry> entries) => RunSelection.BestRate(entries.Select(entry => (entry.Run, entry.Result)));

    private static List<Entry> At(List<Entry> entries, double? rate) => [.. entries.Where(entry => entry.Run.LearningRate == rate)];

    private static IEnumerable<(long Seed, RunResult Arm, RunResult Baseline)> Pairs(List<Entry> ours, List<Entry> theirs) =>
        ours.Join(theirs, entry => entry.Run.Seed, entry => entry.Run.Seed, (arm, baseline) => (arm.Run.Seed, arm.Result, baseline.Result));

    private static ArmDifference Difference(List<Entry> ours, List<Entry> theirs, double confidence)
    {
        var pairs = Pairs(ours, theirs).ToList();
        var ended = pairs
            .Where(pair => pair.Arm.Final() is not null && pair.Baseline.Final() is not null)
            .Select(pair => (pair.Seed, Arm: pair.Arm.Final()!.Test, Baseline: pair.Baseline.Final()!.Test))
            .ToList();
        var loss = PairedComparison.Of(ended, confidence);
        return new ArmDifference(
            ours[0].Run.LearningRate,
            theirs[0].Run.LearningRate,
            loss,
            PairedComparison.Of(ended.Select(pair => (pair.Seed, Math.Exp(pair.Arm), Math.Exp(pair.Baseline))), confidence),
            Percent(loss.Mean),
            loss.Interval is { } interval ? new Interval(Percent(interval.Low), Percent(interval.High)) : null,
            pairs.Count - ended.Count);
    }

    private static double Percent(double difference) => 100 * (Math.Exp(difference) - 1);

    private static IReadOnlyList<CurveDifference> Curve(List<Entry> ours, List<Entry> theirs, double confidence)
    {
        var pairs = Completed(ours, theirs);
        if (pairs.Count == 0) return [];
        var steps = pairs
            .Select(pair => pair.Arm.HeldOut.Select(point => point.Step).Intersect(pair.Baseline.HeldOut.Select(point => point.Step)))
            .Aggregate((all, more) => all.Intersect(more));
        return
        [
            .. steps.Order().Select(step =>
            {
                var compared = PairedComparison.Of(pairs.Select(pair => (pair.Seed, Loss(pair.Arm), Loss(pair.Baseline))), confidence);
                return new CurveDifference(
                    step,
                    pairs[0].Baseline.HeldOut.First(point => point.Step == step).Tokens,
                    compared.Mean,
                    compared.Interval);

                double Loss(RunResult run) => run.HeldOut.First(point => point.Step == step).Test;
            }),
        ];
    }

    private static List<(long Seed, RunResult Arm, RunResult Baseline)> Completed(List<Entry> ours, List<Entry> theirs) =>
        [.. Pairs(ours, theirs).Where(pair => pair.Arm.Outcome == RunOutcome.Completed && pair.Baseline.Outcome == RunOutcome.Completed)];

    private static TokensToEqualLoss EqualLoss(List<Entry> ours, List<Entry> theirs, double confidence)
    {
        var pairs = Completed(ours, theirs);
        var shares = pairs
            .Select(pair => (pair.Seed, Share: Reached(pair.Arm.HeldOut, pair.Baseline.Final()!.Test) / pair.Baseline.Final()!.Tokens))
            .Where(pair => pair.Share is not null)
            .ToList();
        var compared = PairedComparison.Of(shares.Select(pair => (pair.Seed, pair.Share!.Value, 0.0)), confidence);
        return new TokensToEqualLoss(
            shares.Count, pairs.Count, shares.Count > 0 ? compared.Mean : null, shares.Count == pairs.Count ? compared.Interval : null);
    }

    /// <summary>The tokens at which a curve first comes down to a loss, by a straight line between evaluations;
    /// null where it never does.</summary>
    internal static double? Reached(IReadOnlyList<HeldOutPoint> curve, double loss)
    {
        for (int index = 0; index < curve.Count; index++)
        {
            if (curve[index].Test > loss) continue;
            if (index == 0) return curve[0].Tokens;
            var (before, after) = (curve[index - 1], curve[index]);
            return before.Tokens + ((after.Tokens - before.Tokens) * (before.Test - loss) / (before.Test - after.Test));
        }

        return null;
    }

    private static IReadOnlyList<ScoreDifference> Scores(List<Entry> ours, List<Entry> theirs, double confidence)
    {
        var pairs = Completed(ours, theirs);
        if (pairs.Count == 0) return [];
        var scored = pairs
            .SelectMany(pair => (IEnumerable<RunResult>)[pair.Arm, pair.Baseline])
            .Select(run => run.Scores.Select(score => (score.Key, score.Value.Setting)));
        var names = scored.Aggregate((all, more) => all.Intersect(more)).Select(score => score.Key).Order(StringComparer.Ordinal);
        var scores = names
            .Select(name =>
                Compare(name, pairs[0].Arm.Scores[name].Setting, pairs[0].Arm.Scores[name].HigherIsBetter, run => run.Scores[name].Value))
            .ToList();
        var better = scores.Where(score => score.HigherIsBetter).Select(score => score.Name).ToList();
        if (better.Count > 1) scores.Add(Compare(Average, null, true, run => better.Average(name => run.Scores[name].Value)));
        return scores;

        ScoreDifference Compare(string name, string? setting, bool higher, Func<RunResult, double> value) =>
            new(
                name,
                setting,
                higher,
                pairs.Average(pair => value(pair.Baseline)),
                pairs.Average(pair => value(pair.Arm)),
                PairedComparison.Of(pairs.Select(pair => (pair.Seed, value(pair.Arm), value(pair.Baseline))), confidence));
    }

    private static string Sentence(string baseline, ComparedModel model)
    {
        string where = $"{model.Regime}/{model.Name}";
        var compared = model.Arms.Where(arm => arm.AtBest is { Loss.Verdict: not Verdict.TooFewSeeds }).ToList();
        if (compared.Count == 0)
            return $"{where}: nothing to compare yet: an arm and {baseline} need two finished seeds or more in common.";
        string Names(Verdict verdict)
        {
            var arms = compared.Where(arm => arm.AtBest!.Loss.Verdict == verdict).OrderBy(arm => arm.AtBest!.Loss.Mean).ToList();

            // The table beneath has them all.
            int named = arms.Count > NamedArms + 1 ? NamedArms : arms.Count;
            var names = arms.Take(named)
                .Select(arm => string.Create(CultureInfo.InvariantCulture, $"{arm.Name} ({arm.AtBest!.PerplexityChange:+0.00;-0.00} %)"));
            return string.Join(", ", names) + (named < arms.Count ? $" and {arms.Count - named} more" : "");
        }

        (string lower, string higher, string none) = (Names(Verdict.Lower), Names(Verdict.Higher), Names(Verdict.NoDifferenceShown));
        string[] parts =
        [
            .. lower.Length > 0 ? (string[])[$"lower perplexity than {baseline}: {lower}"] : [],
            .. higher.Length > 0 ? (string[])[$"higher: {higher}"] : [],
            .. none.Length > 0 ? (string[])[$"no difference shown: {none}"] : [],
        ];
        return $"{where}: {string.Join("; ", parts)}.";
    }

    private sealed record Entry(PlannedRun Run, RunResult Result);
}

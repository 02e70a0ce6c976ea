using System.Globalization;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Reporting.Documents;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Studies;

/// <summary>The plots of what an arm comes to.</summary>
internal static class StudyFigures
{
    public const double Wide = 640, Narrow = 440;

    // What is before this share of the training is so much higher that it would press the rest together.
    private const double Settled = 0.1;

    /// <summary>Every seed's difference from the baseline, and their interval.</summary>
    public static Figure? Differences(ModelRuns runs)
    {
        var arms = runs.Model.Arms.Where(arm => arm.AtBest?.Loss.Seeds.Count > 0).ToList();
        if (arms.Count == 0) return null;
        var chart = new Chart(Wide, 34 * arms.Count, "difference of test loss, nats (left of zero: better than the baseline)", "");
        chart.Rows([.. arms.Select(arm => arm.Name)]);
        chart.Zero(vertical: true);
        for (int row = 0; row < arms.Count; row++)
        {
            var loss = arms[row].AtBest!.Loss;
            var ink = loss.Verdict switch { Verdict.Lower => Ink.Series[1], Verdict.Higher => Ink.Series[2], _ => Ink.Series[0] };
            if (loss.Interval is { } interval)
            {
                chart.Stroke(ink, (interval.Low, -row), (interval.High, -row));
                foreach (double end in (double[])[interval.Low, interval.High])
                    chart.Stroke(ink, (end, -row - 0.14), (end, -row + 0.14));
            }

            chart.Points(ink, [loss.Mean], [-row], 8, Mark.Diamond);
            chart.Points(Ink.Muted, loss.Differences, [.. loss.Differences.Select(_ => -row - 0.3)], 5, Mark.Circle);
        }

        string title = "Paired differences of test loss";
        string description =
            $"For each arm the mean difference from {runs.Baseline} (diamond) with its {StudyFormat.Share(runs.Confidence)} interval, and "
            + "below it a dot for each seed. An interval that crosses the line at zero shows no difference.";
        return Make(runs, "differences", title, description, chart, new Table(
            $"{title}, {runs.Title}",
            [new("arm"), new("seeds"), new("differences by seed, nats"), new("mean", true), new("interval")],
            [.. arms.Select(arm => (IReadOnlyList<Cell>)
            [
                new(arm.Name),
                new(string.Join(", ", arm.AtBest!.Loss.Seeds)),
                new(string.Join(", ", arm.AtBest.Loss.Differences.Select(StudyFormat.SignedLoss))),
                new(StudyFormat.SignedLoss(arm.AtBest.Loss.Mean), arm.AtBest.Loss.Mean),
                new(StudyFormat.LossRange(arm.AtBest.Loss.Interval)),
            ])]));
    }

    /// <summary>Loss on test text over the course of training, the spread over seeds as a band.</summary>
    public static IEnumerable<Figure> Curves(ModelRuns runs) =>
        runs.Handfuls()
            .Select(
                (arms, part) =>
                    Curve(
                        runs,
                        arms,
                        $"curves{Number(part)}",
                        $"Test loss over training{Part(runs, part)}",
                        "Mean over the seeds of each arm at its best learning rate; the band reaches from the lowest to the highest seed. "
                        + "The first tenth of the training is higher than what is shown.",
                        "test loss, nats",
                        arm => Mean([.. runs.AtBest(arm).Select(run => run.HeldOut.Select(point => ((double)point.Tokens, point.Test)))])))
            .OfType<Figure>();

    /// <summary>The same over the time of processors, where runs were timed: what an arm computes more counts against it.</summary>
    public static IEnumerable<Figure> TimeCurves(ModelRuns runs) =>
        runs.Handfuls()
            .Select(
                (arms, part) =>
                    Curve(
                        runs,
                        arms,
                        $"time{Number(part)}",
                        $"Test loss over time{Part(runs, part)}",
                        "As above, over seconds of processors of one run, the mean of the arm's seeds: steps, transitions and rotations, "
                        + "without evaluations.",
                        "test loss, nats",
                        arm => SecondsPerToken(runs.AtBest(arm)) is { } seconds
                            ? [.. Mean([.. runs.AtBest(arm).Select(run => run.HeldOut.Select(point => ((double)point.Tokens, point.Test)))])
                                .Select(point => (point.X * seconds, point.Mean, point.Low, point.High))]
                            : [],
                        "seconds"))
            .OfType<Figure>();

    /// <summary>How diagonal the covariance was that rotations went by, over the course of training.</summary>
    public static IEnumerable<Figure> Diagonals(ModelRuns runs) =>
        runs.Model.Arms
            .SelectMany(arm => runs.AtBest(arm).SelectMany(run => run.Rotations ?? []))
            .Where(series => series.After.Count > 0)
            .Select(series => series.Kind)
            .Distinct()
            .Order(StringComparer.Ordinal)
            .SelectMany(kind => runs.Handfuls().Select(
                (arms, part) =>
                    Curve(
                        runs,
                        arms,
                        $"diagonal-{kind}{Number(part)}",
                        $"How diagonal the covariance is: {kind}{Part(runs, part)}",
                        "Share of the covariance's squared Frobenius norm on its diagonal before each rotation, the mean over the seeds of "
                        + "each arm at its best learning rate; the band reaches from the lowest to the highest seed.",
                        "share on the diagonal",
                        arm => Mean(
                        [
                            .. runs.AtBest(arm)
                                .SelectMany(run => (run.Rotations ?? []).Where(series => series.Kind == kind && series.Before.Count > 0))
                                .Select(series => series.Steps.Select(step => (double)step).Zip(series.Before)),
                        ]),
                        "steps",
                        wholeRange: true)))
            .OfType<Figure>();

    /// <summary>The mean over runs; null where one of them was not timed.</summary>
    private static double? SecondsPerToken(IReadOnlyList<RunResult> runs) =>
        runs.Count > 0 && runs.All(run => run is { ProcessorSeconds: > 0, Tokens: > 0 })
            ? runs.Average(run => run.ProcessorSeconds!.Value / run.Tokens)
            : null;

    /// <summary>The same of the text that is trained on.</summary>
    public static IEnumerable<Figure> TrainingCurves(ModelRuns runs) =>
        runs.Handfuls()
            .Select(
                (arms, part) =>
                    Curve(
                        runs,
                        arms,
                        $"training{Number(part)}",
                        $"Training loss{Part(runs, part)}",
                        "Mean over the seeds of each arm at its best learning rate; the band reaches from the lowest to the highest seed.",
                        "training loss, nats",
                        arm => Mean(
                        [
                            .. runs.AtBest(arm)
                                .Select(run => run.TrainingLoss.Select(point => ((double)point.Tokens, point.Loss))),
                        ])))
            .OfType<Figure>();

    /// <summary>The paired difference over the course of training.</summary>
    public static IEnumerable<Figure> EqualTokens(ModelRuns runs) => runs.Handfuls().Select((arms, part) =>
    {
        var drawn = arms.Select((arm, index) => (arm, Ink.Series[index])).Where(entry => entry.arm.EqualTokens.Count > 1).ToList();
        if (drawn.Count == 0) return null;
        var chart = new Chart(Wide, 260, "tokens", $"test loss minus that of {runs.Baseline}, nats");
        chart.Zero();
        double from = Settled * runs.Model.Tokens;
        var settled = drawn
            .SelectMany(entry => entry.arm.EqualTokens)
            .Where(point => point.Tokens >= from)
            .SelectMany(point => (double[])[point.Mean, point.Interval?.Low ?? point.Mean, point.Interval?.High ?? point.Mean])
            .Where(double.IsFinite)
            .ToList();
        if (settled.Count > 1) chart.LimitY(Math.Min(0, settled.Min()), Math.Max(0, settled.Max()));
        foreach (var (arm, ink) in drawn)
        {
            chart.Name(ink, arm.Name);
            double[] tokens = [.. arm.EqualTokens.Select(point => (double)point.Tokens)];
            if (arm.EqualTokens.All(point => point.Interval is not null))
                chart.Band(
                    ink, tokens, [.. arm.EqualTokens.Select(point => point.Interval!.Low)],
                    [.. arm.EqualTokens.Select(point => point.Interval!.High)]);
            chart.Line(ink, tokens, [.. arm.EqualTokens.Select(point => point.Mean)], marked: tokens.Length <= 30);
        }

        string title = $"Difference at equal tokens{Part(runs, part)}";
        string description =
            $"Mean paired difference from {runs.Baseline} after the same number of tokens, with its {StudyFormat.Share(runs.Confidence)} "
            + "interval as a band. Below zero is better.";
        return Make(
            runs,
            $"equal-tokens{Number(part)}",
            title,
            description,
            chart,
            Series(
                $"{title}, {runs.Title}",
                "tokens",
                [
                    .. drawn.Select(entry =>
                        (
                            entry.arm.Name,
                            (IReadOnlyList<(double, double)>)
                                [.. entry.arm.EqualTokens.Select(point => ((double)point.Tokens, point.Mean))])),
                ],
                StudyFormat.SignedLoss));
    }).OfType<Figure>();

    /// <summary>Loss against learning rate.</summary>
    public static IEnumerable<Figure> Rates(ModelRuns runs)
    {
        double[] rates = [.. runs.Model.Arms.SelectMany(arm => arm.LearningRates).Distinct().Order()];
        if (rates.Length < 2) return [];
        return runs.Handfuls().Select((arms, part) =>
        {
            var chart = new Chart(Wide, 260, "learning rate", "test loss, nats");
            chart.PlacesX([.. rates.Select(Math.Log10)], [.. rates.Select(rate => StudyFormat.Rate(rate))]);
            var losses = arms.SelectMany(arm => arm.Runs).Select(run => run.Test).OfType<double>().ToList();
            double top = losses.DefaultIfEmpty(1).Max(), space = Math.Max(1e-3, top - losses.DefaultIfEmpty(0).Min());
            var rows = new List<IReadOnlyList<Cell>>();
            for (int index = 0; index < arms.Count; index++)
            {
                var (arm, ink) = (arms[index], Ink.Series[index]);
                chart.Name(ink, arm.Name);

                // Beside each other, not over each other.
                double shift = (index - ((arms.Count - 1) / 2.0)) * 0.012 * Math.Max(0.2, Math.Log10(rates[^1] / rates[0]));
                var completed = arm.Runs.Where(run => run.Test is not null).ToList();
                var means = completed.GroupBy(run => run.LearningRate).OrderBy(group => group.Key).ToList();
                chart.Points(
                    ink,
                    [.. completed.Select(run => Math.Log10(run.LearningRate) + shift)],
                    [.. completed.Select(run => run.Test!.Value)],
                    4,
                    Mark.Circle);
                if (means.Count > 0)
                    chart.Line(
                        ink,
                        [.. means.Select(group => Math.Log10(group.Key) + shift)],
                        [.. means.Select(group => group.Average(run => run.Test!.Value))],
                        marked: true);
                var diverged = arm.Runs.Where(run => run.Outcome == RunOutcome.Diverged).ToList();
                if (diverged.Count > 0)
                    chart.Points(
                        ink,
                        [.. diverged.Select(run => Math.Log10(run.LearningRate) + shift)],
                        [.. diverged.Select(_ => top + (0.12 * space))],
                        9,
                        Mark.Cross);
                rows.AddRange(arm.Runs.GroupBy(run => run.LearningRate).OrderBy(group => group.Key).Select(group => (IReadOnlyList<Cell>)
                [
                    new(arm.Name),
                    new(StudyFormat.Rate(group.Key), group.Key),
                    new(Text(group.Count()), group.Count()),
                    StudyTables.Loss(
                        group
                            .Select(run => run.Test)
                            .OfType<double>()
                            .Select(loss => (double?)loss)
                            .DefaultIfEmpty()
                            .Average()),
                    new(
                        Text(group.Count(run => run.Outcome == RunOutcome.Diverged)),
                        group.Count(run => run.Outcome == RunOutcome.Diverged)),
                ]));
            }

            string title = $"Test loss against learning rate{Part(runs, part)}";
            return Make(
                runs,
                $"rates{Number(part)}",
                title,
                "Lines join the means over the seeds, small dots are single runs, crosses at the top are runs that diverged. An arm that "
                + "only acts like another learning rate has its curve shifted sideways, and its lowest point is no lower.",
                chart,
                new Table(
                    $"{title}, {runs.Title}",
                    [new("arm"), new("learning rate", true), new("runs", true), new("mean test loss", true), new("diverged", true)], rows));
        });
    }

    /// <summary>Mean, lowest and highest of several curves at the places that all have.</summary>
    public static IReadOnlyList<(double X, double Mean, double Low, double High)> Mean(
        IReadOnlyList<IEnumerable<(double X, double Y)>> curves)
    {
        if (curves.Count == 0) return [];
        var maps = curves
            .Select(curve =>
                curve
                    .Where(point => double.IsFinite(point.Y))
                    .GroupBy(point => point.X)
                    .ToDictionary(group => group.Key, group => group.Last().Y))
            .ToList();
        return
        [
            .. maps[0]
                .Keys.Where(x => maps.All(map => map.ContainsKey(x)))
                .Order()
                .Select(x => (x, maps.Average(map => map[x]), maps.Min(map => map[x]), maps.Max(map => map[x]))),
        ];
    }

    /// <summary>Curves as a table: a row for each place, at most some twenty of them.</summary>
    public static Table Series(
        string caption, string x, IReadOnlyList<(string Name, IReadOnlyList<(double X, double Y)> Points)> series,
        Func<double, string> format)
    {
        const int most = 20;
        double[] places = [.. series.SelectMany(entry => entry.Points.Select(point => point.X)).Distinct().Order()];
        int each = ((places.Length - 1) / most) + 1;
        return new Table(
            caption,
            [new(x, true), .. series.Select(entry => new Column(entry.Name, true))],
            [
                .. places
                    .Where((_, index) => index % each == 0 || index == places.Length - 1)
                    .Select(place =>
                        (IReadOnlyList<Cell>)
                            [
                                new(place.ToString("N0", CultureInfo.InvariantCulture), place),
                                .. series.Select(entry =>
                                    entry
                                        .Points.Where(point => point.X == place)
                                        .Select(point => new Cell(format(point.Y), point.Y))
                                        .FirstOrDefault()
                                    ?? new Cell("-")),
                            ]),
            ]);
    }

    public static Figure Make(ModelRuns runs, string name, string title, string description, Chart chart, Table data) =>
        new($"{runs.Title} {name}", title, description, [new Panel("", chart.Draw($"{title}, {runs.Title}", description))], data);

    private static Figure? Curve(
        ModelRuns runs,
        IReadOnlyList<ComparedArm> arms,
        string name,
        string title,
        string description,
        string axis,
        Func<ComparedArm, IReadOnlyList<(double X, double Mean, double Low, double High)>> curve,
        string place = "tokens",
        bool wholeRange = false)
    {
        var drawn = arms.Select((arm, index) => (arm.Name, Ink: Ink.Series[index], Points: curve(arm)))
            .Where(entry => entry.Points.Count > 1)
            .ToList();
        if (drawn.Count == 0) return null;
        var chart = new Chart(Wide, 260, place, axis);
        double from = wholeRange ? 0 : Settled * drawn.Max(entry => entry.Points[^1].X);
        var settled = drawn.SelectMany(entry => entry.Points).Where(point => point.X >= from).ToList();
        if (settled.Count > 1) chart.LimitY(settled.Min(point => point.Low), settled.Max(point => point.High));
        foreach (var (arm, ink, points) in drawn)
        {
            chart.Name(ink, arm);
            double[] x = [.. points.Select(point => point.X)];
            chart.Band(ink, x, [.. points.Select(point => point.Low)], [.. points.Select(point => point.High)]);
            chart.Line(ink, x, [.. points.Select(point => point.Mean)], marked: x.Length <= 30);
        }

        return Make(
            runs,
            name,
            title,
            description,
            chart,
            Series(
                $"{title}, {runs.Title}",
                place,
                [
                    .. drawn.Select(entry =>
                        (entry.Name, (IReadOnlyList<(double, double)>)[.. entry.Points.Select(point => (point.X, point.Mean))])),
                ],
                loss => StudyFormat.Loss(loss)));
    }

    private static string Part(ModelRuns runs, int part) =>
        runs.Handfuls().Count() is > 1 and var parts ? $" ({Text(part + 1)} of {Text(parts)})" : "";

    private static string Number(int part) => part == 0 ? "" : $"-{part + 1}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

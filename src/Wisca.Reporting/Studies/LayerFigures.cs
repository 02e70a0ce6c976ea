using System.Globalization;
using Wisca.Attention;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Reporting.Documents;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Studies;

/// <summary>The plots of what goes on inside an arm's attention.</summary>
internal static class LayerFigures
{
    private static readonly (string Key, string Title)[] Pairs =
    [
        (TransitionKind.QueryKey.Name(), "log2 |W_q| / |W_k|"), (TransitionKind.ValueOutput.Name(), "log2 |W_v| / |W_o|"),
    ];

    private static readonly (string Key, string Title)[] Projections = [("q", "|W_q|"), ("k", "|W_k|"), ("v", "|W_v|"), ("o", "|W_o|")];

    private const string AdapterPanel = "B and A of the adapter";

    /// <summary>Imbalances over time.</summary>
    public static Figure? Imbalances(ModelRuns runs, ComparedArm arm) =>
        Layers(
            runs, arm, "imbalance", "Imbalance over time",
            "Zero is balance; a transition brings a layer back to it. Mean over the seeds, a line for each layer.", Pairs,
            run => run.Imbalances, zero: true);

    /// <summary>Norms over time.</summary>
    public static Figure? Norms(ModelRuns runs, ComparedArm arm) =>
        Layers(
            runs, arm, "norms", "Norms over time", "Sums of the magnitudes of each projection. Mean over the seeds, a line for each layer.",
            Projections, run => run.Norms, zero: false);

    /// <summary>What transitions multiplied by.</summary>
    public static Figure? Factors(ModelRuns runs, ComparedArm arm) => Layers(
        runs,
        arm,
        "factors",
        "Factors applied",
        "At each transition log2 of the factor on queries or values, or on an adapter's B (their partners are divided by it): the "
        + "geometric mean of a layer's groups. Zero changes nothing. Mean over the seeds.",
        [
            (TransitionKind.QueryKey.Name(), "queries and keys"), (TransitionKind.ValueOutput.Name(), "values and outputs"),
            (TransitionKind.LoraFactors.Name(), AdapterPanel),
        ],
        run =>
            [
                .. run
                    .Transitions.GroupBy(applied => (applied.Name, applied.Layer))
                    .Select(group => new LayerSeries(
                        group.Key.Name, group.Key.Layer, [.. group.Select(applied => applied.Step)],
                        [.. group.Select(applied => Math.Log2(applied.Mean))])),
            ],
        zero: true);

    private static Figure? Layers(
        ModelRuns runs, ComparedArm arm, string name, string title, string description, (string Key, string Title)[] panels,
        Func<RunResult, IReadOnlyList<LayerSeries>> series, bool zero)
    {
        var results = runs.AtBest(arm);
        var all = results.Select(series).ToList();
        int[] layers = Chosen([.. all.SelectMany(run => run.Select(entry => entry.Layer)).Distinct().Order()]);
        var drawn = panels
            .Select(panel =>
                (
                    panel.Key,
                    panel.Title,
                    Lines: layers
                        .Select(
                            (layer, index) =>
                                (
                                    Layer: layer,
                                    Ink: Ink.Series[index],
                                    Points: StudyFigures.Mean([
                                        .. all.Select(run =>
                                            run.Where(entry => entry.Name == panel.Key && entry.Layer == layer)
                                                .SelectMany(entry =>
                                                    entry.Steps.Zip(entry.Values, (step, value) => ((double)step, value)))),
                                    ])))
                        .Where(line => line.Points.Count > 0)
                        .ToList()))
            .Where(panel => panel.Lines.Count > 0).ToList();
        if (drawn.Count == 0) return null;
        string where = $"{arm.Name}, {runs.Title}";
        return new Figure(
            $"{runs.Title} {arm.Name} {name}",
            title,
            description,
            [.. drawn.Select(panel =>
            {
                var chart = new Chart(StudyFigures.Narrow, 180, "steps", panel.Title);
                if (zero) chart.Zero();
                foreach (var (layer, ink, points) in panel.Lines)
                {
                    chart.Name(ink, Label(panel.Title, layer));
                    chart.Line(
                        ink, [.. points.Select(point => point.X)], [.. points.Select(point => point.Mean)], marked: points.Count <= 12);
                }

                return new Panel(panel.Title, chart.Draw($"{title}, {panel.Title}, {where}", description));
            })],
            StudyFigures.Series(
                $"{title}, {where}",
                "steps",
                [
                    .. drawn.SelectMany(panel =>
                        panel.Lines.Select(line =>
                            (
                                $"{panel.Title}, {Label(panel.Title, line.Layer)}",
                                (IReadOnlyList<(double, double)>)[.. line.Points.Select(point => (point.X, point.Mean))]))),
                ],
                number => number.ToString("G4", CultureInfo.InvariantCulture)));
    }

    private static string Label(string panel, int layer) =>
        panel == AdapterPanel ? "all modules" : string.Create(CultureInfo.InvariantCulture, $"layer {layer}");

    /// <summary>As many layers as there are inks, the first and the last among them.</summary>
    private static int[] Chosen(int[] layers) =>
        layers.Length <= Ink.Series.Count
            ? layers
            : [.. Enumerable.Range(0, Ink.Series.Count).Select(index => layers[index * (layers.Length - 1) / (Ink.Series.Count - 1)])];
}

using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;

namespace Wisca.Cli.Verbs;

/// <summary>What <c>wisca compare --power</c> prints: how differences scattered in finished studies,
/// and how many seeds that asks for.</summary>
internal static class PowerTable
{
    /// <summary>Prints it.</summary>
    /// <param name="context">Where to.</param>
    /// <param name="folders">Folders of finished studies.</param>
    /// <param name="arms">Only these arms; empty for all.</param>
    /// <param name="effect">A change of perplexity in percent.</param>
    /// <param name="comparisons">Number of comparisons that are planned.</param>
    /// <param name="json">True for JSON.</param>
    public static void Print(CommandContext context, string[] folders, string[] arms, double effect, int comparisons, bool json)
    {
        List<StudyReport> studies = [];
        foreach (string path in folders)
        {
            using var folder = new StudyFolder(path);
            studies.Add(StudyReport.Load(folder));
        }

        var report = PowerReport.Of(studies, effect, comparisons, PowerReport.UsualPower, arms);
        if (json)
        {
            context.WriteJson(Json(report));
            return;
        }

        var scatter = new Table().Border(TableBorder.Simple).AddColumns("study", "model", "arm");
        foreach (string header in (string[])["seeds", "scatter, nats"]) scatter.AddColumn(new TableColumn(header).RightAligned());
        foreach (var arm in report.Arms)
            scatter.AddRow(
                arm.Study.EscapeMarkup(), arm.Model.EscapeMarkup(), arm.Arm.EscapeMarkup(), $"{arm.Pairs}",
                Number(arm.Deviation, "0.0000"));
        context.Out.Write(scatter);
        context.Out.WriteLine(
            $"Paired differences scatter by {Number(report.Deviation, "0.0000")} nats ({report.Degrees} degrees of freedom; by less than "
            + $"{Number(report.UpperDeviation, "0.0000")} in four of five cases).");
        string many = Format.Count(report.Comparisons, "comparison");
        var rows = new Table().Border(TableBorder.Simple);
        foreach (
            string header in (string[])[
                "seeds", "one test shows", $"the first of {report.Comparisons} shows", $"power for {Number(effect, "0.##")} %",
                "with more scatter"])
            rows.AddColumn(new TableColumn(header).RightAligned());
        foreach (var row in report.Rows)
            rows.AddRow(
                $"{row.Seeds}", $"-{Number(row.Detectable, "0.00")} %", $"-{Number(row.DetectableOfMany, "0.00")} %",
                Number(row.Power, "0.00"), Number(row.CautiousPower, "0.00"));
        context.Out.Write(rows);
        context.Out.WriteLine(
            $"Perplexity lower by {Number(effect, "0.##")} % is shown with a power of {Number(report.Power, "0.##")} by "
            + $"{Seeds(report.Seeds)}, with more scatter by {Seeds(report.CautiousSeeds)} "
            + $"(two-sided, {Number(100 * report.Level, "0.##")} %, Holm's first of {many}).");
    }

    private static string Seeds(int? seeds) => seeds is { } number ? Format.Count(number, "seed") : "no sensible number of seeds";

    private static string Number(double value, string digits) => value.ToString(digits, CultureInfo.InvariantCulture);

    private static JsonObject Json(PowerReport report) => new()
    {
        ["arms"] = new JsonArray([.. report.Arms.Select(arm => (JsonNode?)new JsonObject
        {
            ["study"] = arm.Study, ["model"] = arm.Model, ["arm"] = arm.Arm, ["seeds"] = arm.Pairs, ["deviation"] = arm.Deviation,
        })]),
        ["deviation"] = report.Deviation,
        ["degrees_of_freedom"] = report.Degrees,
        ["upper_deviation"] = report.UpperDeviation,
        ["level"] = report.Level,
        ["comparisons"] = report.Comparisons,
        ["effect_percent"] = report.Effect,
        ["power"] = report.Power,
        ["seeds"] = report.Seeds,
        ["seeds_with_upper_deviation"] = report.CautiousSeeds,
        ["rows"] = new JsonArray([.. report.Rows.Select(row => (JsonNode?)new JsonObject
        {
            ["seeds"] = row.Seeds, ["detectable_percent"] = row.Detectable, ["detectable_percent_of_many"] = row.DetectableOfMany,
            ["power"] = row.Power, ["power_with_upper_deviation"] = row.CautiousPower,
        })]),
    };
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;

namespace Wisca.Evaluation.Tasks;

/// <summary>The result of a run in the harness's schema, as JSON and as a table.</summary>
public static class TaskReport
{
    /// <summary>The harness's name of "no filter", the only one there is here.</summary>
    private const string Filter = "none";

    /// <summary>The result as the harness writes it: <c>results</c>, <c>groups</c>, <c>configs</c>, <c>versions</c> and so on.</summary>
    /// <param name="run">The run.</param>
    /// <param name="config">What is put under <c>config</c>: the model and the options of the run.</param>
    /// <param name="date">When the run began.</param>
    /// <param name="elapsed">How long it took.</param>
    public static JsonObject ToJson(TaskRun run, JsonObject config, DateTimeOffset date, TimeSpan elapsed)
    {
        ArgumentNullException.ThrowIfNull(run);
        TaskOutcome[] done = [.. run.Tasks.Where(task => task.Failure is null)];
        var rows = Rows(run);
        var groups = rows.Where(row => row.IsGroup).ToList();
        var json = new JsonObject { ["results"] = Keyed(rows, row => (row.Name, Result(row))) };
        if (groups.Count > 0) json["groups"] = Keyed(groups, row => (row.Name, Result(row)));
        json["group_subtasks"] = Keyed(
            [
                .. run.Groups.Select(group => (group.Group.Name, Tasks: group.Group.Tasks.Select(task => task.Task))),
                .. Alone(run).Select(task => (Name: task.Definition.Task, Tasks: Enumerable.Empty<string>())),
            ],
            entry => (entry.Name, new JsonArray([.. entry.Tasks.Select(task => (JsonNode?)task)])));
        json["configs"] = Keyed(done, task => (task.Definition.Task, Config(task.Loaded!)));
        json["versions"] = Keyed(rows, row => (row.Name, Version(row.Version)));
        json["n-shot"] = Keyed(done, task => (task.Definition.Task, task.Loaded!.Fewshot));
        json["higher_is_better"] = Keyed(
            rows,
            row => (row.Name, Keyed(row.Metrics, metric => (metric.Metric.Name(), HigherIsBetter(metric.Metric)))));
        json["n-samples"] = Keyed(
            done,
            task =>
                (task.Definition.Task, new JsonObject { ["original"] = task.Loaded!.Documents, ["effective"] = task.Loaded.Items.Count }));
        if (run.Failed.Any()) json["failures"] = Keyed(run.Failed, task => (task.Definition.Task, task.Failure!.Message));
        json["config"] = config;
        json["date"] = date.ToUnixTimeMilliseconds() / 1000.0;
        json["task_hashes"] = Keyed(done, task => (task.Definition.Task, TaskSamples.Hash(task)));
        json["task_seconds"] = Keyed(done, task => (task.Definition.Task, Math.Round(task.Elapsed.TotalSeconds, 3)));
        json["total_evaluation_time_seconds"] = elapsed.TotalSeconds.ToString("R", CultureInfo.InvariantCulture);
        return json;
    }

    /// <summary>The table that the harness prints, in Markdown.</summary>
    /// <param name="run">The run.</param>
    /// <returns>Its lines; none where every task failed.</returns>
    public static IReadOnlyList<string> Table(TaskRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var cells = new List<string[]> { (string[])["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"] };
        foreach (var row in Rows(run))
        {
            bool first = true;
            foreach (var metric in row.Metrics)
            {
                cells.Add(
                [
                    first ? row.Alias : "",
                    first ? row.Version.ToString("0.##", CultureInfo.InvariantCulture) : "",
                    Filter,
                    row.Fewshot?.ToString(CultureInfo.InvariantCulture) ?? "",
                    metric.Metric.Name(),
                    HigherIsBetter(metric.Metric) ? "↑" : "↓",
                    metric.Value.ToString("0.0000", CultureInfo.InvariantCulture),
                    metric.StandardError is null ? "" : "±",
                    metric.StandardError?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "N/A",
                ]);
                first = false;
            }
        }

        if (cells.Count == 1) return [];
        int[] widths = [.. cells[0].Select((_, column) => Math.Max(3, cells.Max(row => row[column].Length)))];
        string Line(IEnumerable<string> row) => $"|{string.Join('|', row)}|";
        bool ToTheRight(int column) => column is 1 or 3 or 6 or 8;
        string Titles(string cell, int column) => cell.PadRight(widths[column]);
        string Values(string cell, int column) => ToTheRight(column) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]);
        string Rule(int width, int column) => ToTheRight(column) ? new string('-', width - 1) + ":" : new string('-', width);
        return [Line(cells[0].Select(Titles)), Line(widths.Select(Rule)), .. cells.Skip(1).Select(row => Line(row.Select(Values)))];
    }

    /// <summary>Rows of the table: groups before their tasks, by name; a group with a failed task has no row.</summary>
    private static List<Row> Rows(TaskRun run)
    {
        var rows = new List<Row>();
        var entries = run.Groups.Select(group => (group.Group.Name, Group: (GroupOutcome?)group, Task: (TaskOutcome?)null))
            .Concat(Alone(run).Select(task => (Name: task.Definition.Task, Group: (GroupOutcome?)null, Task: (TaskOutcome?)task)))
            .OrderBy(entry => entry.Name, StringComparer.Ordinal);
        foreach (var (_, group, task) in entries)
        {
            if (task is not null) Add(task, "");
            if (group is null) continue;
            if (group.Metrics.Count > 0)
                rows.Add(
                    new Row(group.Group.Name, group.Group.Name, group.Group.Version, null, group.Metrics, group.Documents, IsGroup: true));
            foreach (
                var member in run
                    .Tasks.Where(outcome => group.Group.Tasks.Contains(outcome.Definition))
                    .OrderBy(outcome => outcome.Definition.Task, StringComparer.Ordinal))
                Add(member, " - ");
        }

        return rows;

        void Add(TaskOutcome task, string indent)
        {
            if (task.Failure is null)
                rows.Add(
                    new Row(
                        task.Definition.Task, indent + task.Definition.Task, task.Definition.Version, task.Loaded!.Fewshot, task.Metrics,
                        task.Scores.Count, IsGroup: false));
        }
    }

    private static IEnumerable<TaskOutcome> Alone(TaskRun run) =>
        run.Tasks.Where(task => !run.Groups.Any(group => group.Group.Tasks.Contains(task.Definition)));

    private static JsonObject Result(Row row)
    {
        var result = new JsonObject { ["alias"] = row.Alias };
        foreach (var metric in row.Metrics)
        {
            result[$"{metric.Metric.Name()},{Filter}"] = Number(metric.Value);
            result[$"{metric.Metric.Name()}_stderr,{Filter}"] = metric.StandardError is { } error ? Number(error) : "N/A";
        }

        if (row.IsGroup) result["sample_len"] = row.Documents;
        return result;
    }

    private static JsonObject Config(LoadedTask task)
    {
        var (definition, data) = (task.Definition, task.Data);
        return new JsonObject
        {
            ["task"] = definition.Task,
            ["dataset_path"] = data.Name,
            ["test_split"] = definition.Evaluation.Name(),
            ["fewshot_split"] = definition.Fewshot.Name(),
            ["process_docs"] = data.Process == DocumentProcess.None ? null : data.Process.Name(),
            ["doc_to_text"] = data.DocToText ?? definition.DocToText ?? "",
            ["doc_to_choice"] = (data.DocToChoice ?? definition.DocToChoice) is { } choices
                ? new JsonArray([.. choices.Select(choice => (JsonNode?)choice)])
                : null,
            ["doc_to_target"] = data.DocToTarget ?? definition.DocToTarget,
            ["gold"] = data.Gold ?? definition.Gold,
            ["description"] = definition.Description ?? "",
            ["target_delimiter"] = definition.TargetDelimiter ?? "",
            ["fewshot_delimiter"] = definition.FewshotDelimiter ?? "",
            ["num_fewshot"] = task.Fewshot,
            ["metric_list"] = new JsonArray([.. definition.Metrics.Select(metric => (JsonNode?)new JsonObject
            {
                ["metric"] = metric.Name(),
                ["aggregation"] = metric == TaskMetric.Perplexity ? "perplexity" : "mean",
                ["higher_is_better"] = HigherIsBetter(metric),
            })]),
            ["output_type"] = definition.OutputType.Name(),
            ["metadata"] = new JsonObject
            {
                ["version"] = Version(definition.Version),
                ["note"] = data.Note,
                ["files"] = Keyed(task.Files, file => (file, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))))),
            },
        };
    }

    private static bool HigherIsBetter(TaskMetric metric) => metric != TaskMetric.Perplexity;

    /// <summary>A version with its decimal, as the harness writes it.</summary>
    private static JsonNode? Version(double version) => JsonNode.Parse(version.ToString("0.0###", CultureInfo.InvariantCulture));

    /// <summary>JSON knows neither infinity nor NaN; the harness's Python writes them as these words.</summary>
    private static JsonNode Number(double value) => double.IsFinite(value) ? value : value.ToString(CultureInfo.InvariantCulture);

    private static JsonObject Keyed<T>(IEnumerable<T> items, Func<T, (string Key, JsonNode? Value)> entry)
    {
        var json = new JsonObject();
        foreach (var item in items)
        {
            var (key, value) = entry(item);
            json[key] = value;
        }

        return json;
    }

    private sealed record Row(
        string Name, string Alias, double Version, int? Fewshot, IReadOnlyList<MetricValue> Metrics, int Documents, bool IsGroup);
}

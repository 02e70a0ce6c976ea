using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Files;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca eval MODEL --tasks NAMES</c>: tasks of the Language Model Evaluation Harness.</summary>
internal static class TaskEvaluation
{
    /// <summary>Some of the tasks failed; what the others gave is printed and written.</summary>
    private const int SomeFailed = 2;

    /// <summary>What is asked for beside <see cref="EvaluationOptions"/>.</summary>
    internal sealed record Asked(string[] Names, string Data, string? Include, int? Fewshot, bool LogSamples);

    /// <summary>Prints what tasks there are.</summary>
    public static int List(CommandContext context, string include)
    {
        var catalogue = TaskCatalogue.Load(include.Length == 0 ? null : include);
        var grouped = catalogue.Groups.Values.SelectMany(group => group.Tasks).ToHashSet();
        var entries = catalogue
            .Groups.Values.Select(group => (group.Name, About: $"{group.About}: {Format.Count(group.Tasks.Count, "task")}"))
            .Concat(
                catalogue.Tasks.Values.Where(task => !grouped.Contains(task)).Select(task => (Name: task.Task, About: task.About ?? "")));
        foreach (var (name, about) in entries.OrderBy(entry => entry.Name, StringComparer.Ordinal))
            context.StandardOutput.WriteLine(PrintableText.Of($"{name,-16} {about}".TrimEnd()));
        return 0;
    }

    public static int Run(CommandContext context, EvaluationOptions shared, Asked asked, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var date = DateTimeOffset.Now;
        var selection = TaskCatalogue.Load(asked.Include).Select(asked.Names);
        var files = OutputFiles(shared, asked, date);
        context.NoteAdapter(shared.Model);
        using var model = EvaluatedModel.Open(shared.Model, shared.Precision, shared.Threads, shared.Scoring);
        var options = new TaskOptions { Fewshot = asked.Fewshot, Limit = shared.Limit, Threads = shared.Threads };
        var run = ProgressBar.Run(
            context,
            report =>
                new TaskRunner(model.Scorer, asked.Data, options).Run(
                    selection, new Observer(report, asked.LogSamples ? files : null, shared.Force), cancellation),
            bytes: false);
        var json = TaskReport.ToJson(run, Config(model, shared, options, asked), date, clock.Elapsed);
        if (files is not null)
        {
            OutputFile.Write(files.Value.Result, json, shared.Force);
            context.Written.Add(files.Value.Result);
        }

        if (shared.Json) context.WriteJson(json);
        else Print(context, run, model, options, clock.Elapsed);
        foreach (var task in run.Tasks)
        {
            if (task.Truncated > 0)
                Say(
                    context,
                    $"task {task.Definition.Task}: {Format.Count((int)task.Truncated, "context")} longer than the model's "
                    + $"{model.Scorer.MaxLength} positions lost {(task.Truncated == 1 ? "its" : "their")} beginning");
            if (task.Joined > 0)
                Say(
                    context,
                    $"task {task.Definition.Task}: the tokenizer joins {Format.Count((int)task.Joined, "continuation")} with the end of "
                    + "the context; the joined token is scored, where the harness stops");
            if (task.Loaded?.Data.Note is { } note) Say(context, $"task {task.Definition.Task}: read from {task.Loaded.Data.Name}: {note}");
            if (task.Failure is null) continue;
            Say(context, $"wisca: task {task.Definition.Task}: {task.Failure.Message}");
            if (task.Failure.Hint is not null) Say(context, $"hint: {task.Failure.Hint}");
        }

        return run.Failed.Any() ? SomeFailed : 0;
    }

    private static void Say(CommandContext context, string line) => context.Error.Profile.Out.Writer.WriteLine(line);

    /// <summary>Where the results go: a file that is named,
    /// or files with the time in their names in a folder, as the harness has them.</summary>
    private static (string Result, Func<string, string> Samples)? OutputFiles(EvaluationOptions shared, Asked asked, DateTimeOffset date)
    {
        if (shared.Output is null)
            return asked.LogSamples ? throw new UsageException("--log-samples needs a place to write to: give --out DIR") : null;
        string stamp = date.ToString("yyyy-MM-dd'T'HH-mm-ss.ffffff", CultureInfo.InvariantCulture);
        bool file = shared.Output.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        string folder = file ? Path.GetDirectoryName(Path.GetFullPath(shared.Output))! : shared.Output;
        if (!file)
        {
            try
            {
                AtomicFolder.Ensure(folder);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new WiscaException(
                    $"the output folder {folder} cannot be made", "choose a place you may write to, or a file that ends in .json",
                    exception);
            }
        }

        // Every run has names of its own: what a killed one left would never be cleared by its name.
        if (Directory.Exists(folder)) AtomicFolder.RecoverAll(folder);
        string result = file ? shared.Output : Path.Combine(folder, $"results_{stamp}.json");
        OutputFile.Check(result, shared.Force);
        return (result, task => Path.Combine(folder, $"samples_{task}_{stamp}.jsonl"));
    }

    private static JsonObject Config(EvaluatedModel model, EvaluationOptions shared, TaskOptions options, Asked asked) => new()
    {
        ["model"] = "wisca",
        ["model_args"] = $"pretrained={shared.Model},dtype={shared.Precision.Name()}",
        ["model_num_parameters"] = model.Checkpoint.Tensors.Sum(tensor =>
            tensor.Info.Shape.Aggregate(1L, (product, size) => product * size)),
        ["model_dtype"] = shared.Precision.Name(),
        ["wisca_version"] = ProductVersion.Text,
        ["batch_size"] = shared.Scoring.BatchSize,
        ["max_length"] = model.Scorer.MaxLength,
        ["device"] = "cpu",
        ["data"] = asked.Data,
        ["limit"] = options.Limit,
        ["bootstrap_iters"] = options.BootstrapIterations,
        ["fewshot_seed"] = options.FewshotSeed,
    };

    private static void Print(CommandContext context, TaskRun run, EvaluatedModel model, TaskOptions options, TimeSpan elapsed)
    {
        foreach (string line in TaskReport.Table(run)) context.StandardOutput.WriteLine(PrintableText.Of(line));
        if (options.Limit is { } limit)
            context.StandardOutput.WriteLine($"only the first {limit} documents of each task: no result to report");
        var counts = model.Scorer.Counts;
        context.StandardOutput.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Format.Count((int)counts.Requests, "request")}, {counts.DistinctRequests} different, "
                + $"{Format.Count((int)run.Tasks.Sum(task => (long)task.Scores.Count), "document")}, in {elapsed.TotalSeconds:0.0} s"));
    }

    /// <summary>Shows progress, and writes the samples of each task when it has ended.</summary>
    private sealed class Observer(Action<string, double, double> report, (string Result, Func<string, string> Samples)? files, bool force)
        : ITaskObserver
    {
        private int _requests;

        public void Started(LoadedTask task, int requests) => _requests = requests;

        public void Progressed(LoadedTask task, int done) => report(task.Definition.Task, done, _requests);

        public void Ended(TaskOutcome outcome)
        {
            if (files is { } places && outcome.Failure is null) TaskSamples.Write(places.Samples(outcome.Definition.Task), outcome, force);
        }
    }

    /// <summary>The symbols on a command line, and how they are read.</summary>
    internal sealed class Symbols
    {
        private readonly Option<string[]> _tasks = new("--tasks")
        {
            Description = "Tasks and groups, parted by commas; * stands for any letters.",
            HelpName = "NAMES",
            AllowMultipleArgumentsPerToken = true,
        };
        private readonly Option<string?> _data = new("--data")
        {
            Description = "The folder that holds the tasks' data files.",
            HelpName = "DIR",
        };
        private readonly Option<int> _fewshot = SharedOptions.Number(
            "--num-fewshot", "Examples before each question (default: what the task says, mostly 0).", "K", 0, 1000);
        private readonly Option<bool> _samples = new("--log-samples")
        {
            Description = "Also write each document with its prompts and answers, as JSON lines beside the result.",
        };
        private readonly Option<string?> _include = new("--include")
        {
            Description = "A folder with task definitions of your own.",
            HelpName = "DIR",
        };
        private readonly Option<bool> _list = new("--list-tasks") { Description = "Say what tasks there are." };

        public Symbols()
        {
            _fewshot.Aliases.Add("--num_fewshot");
            _samples.Aliases.Add("--log_samples");
            _include.Aliases.Add("--include_path");
        }

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_tasks, _data, _fewshot, _samples, _include, _list]) command.Add(option);
        }

        /// <summary>The folder of the user's definitions, empty for none, where a list of tasks is asked for; else null.</summary>
        public string? ReadList(ParseResult parsed) => parsed.GetValue(_list) ? parsed.GetValue(_include) ?? "" : null;

        /// <summary>What is asked for; null where it is no task.</summary>
        public Asked? Read(ParseResult parsed)
        {
            if (parsed.GetValue(_tasks) is not { Length: > 0 } given) return null;
            string[] names =
            [
                .. given.SelectMany(names => names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)),
            ];
            if (names.Length == 0) throw new UsageException("--tasks names no task");
            string data =
                parsed.GetValue(_data) ?? throw new UsageException("--tasks needs the folder of their data files: give --data DIR");
            return new Asked(
                names, data, parsed.GetValue(_include), parsed.GetResult(_fewshot) is null ? null : parsed.GetValue(_fewshot),
                parsed.GetValue(_samples));
        }
    }
}

using System.Globalization;
using System.Security.Cryptography;
using Wisca.Comparison.Results;
using Wisca.Comparison.Running;
using Wisca.Comparison.Studies;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;
using Wisca.Torch.Models;

namespace Wisca.Comparison.Scoring;

/// <summary>
/// Evaluates the trained models of a study, those at each arm's best learning rate, and writes what they reach into their results. What a
/// result has already, in the same setting, is not done again.
/// </summary>
public sealed class StudyScorer
{
    private readonly Study _study;
    private readonly StudyFolder _folder;
    private readonly IStudyObserver _observer;
    private readonly ScoreSection _section;
    private readonly TaskSelection _selection;
    private readonly IReadOnlyList<Wanted> _texts;
    private readonly IReadOnlyList<Wanted> _tasks;

    /// <param name="study">The study.</param>
    /// <param name="folder">Its folder, locked.</param>
    /// <param name="observer">Told how it goes on.</param>
    /// <exception cref="WiscaException">A task is not known, or a file or folder is missing.</exception>
    public StudyScorer(Study study, StudyFolder folder, IStudyObserver observer)
    {
        ArgumentNullException.ThrowIfNull(study);
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(observer);
        (_study, _folder, _observer, _section) = (study, folder, observer, study.Config.Scores);
        _selection = _section.Tasks.Count == 0 ? new TaskSelection([], []) : TaskCatalogue.Load(_section.Include).Select(_section.Tasks);
        if (_section.Data is { } data && !Directory.Exists(data))
            throw new WiscaException(
                $"scores.data {data} does not exist, expected the folder of the tasks' data files",
                "scores.data is relative to the folder that the command is started in");
        if (_section.Texts.FirstOrDefault(text => !File.Exists(text)) is { } missing)
            throw new WiscaException(
                $"scores.texts {missing} does not exist, expected a text file",
                "scores.texts are relative to the folder that the command is started in");
        if (_section.Texts.CountBy(Name).FirstOrDefault(name => name.Value > 1).Key is { } twice)
            throw new WiscaException(
                $"scores.texts: two texts are called {twice}, expected different names",
                "a score is known by the name of its file; rename one of them");
        string? limited = _section.Limit is { } limit
            ? string.Create(CultureInfo.InvariantCulture, $"the first {limit} documents of each task")
            : null;
        _texts = [.. _section.Texts.Select(text => new Wanted(Name(text), Contents(text), text))];
        _tasks = [.. Reported().Select(name => new Wanted(name, limited))];
    }

    /// <summary>Scores what is missing.</summary>
    /// <param name="threads">Number of threads.</param>
    /// <param name="stop">Looked at between batches; what is scored stays.</param>
    /// <exception cref="WiscaException">A model or a task's data cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void Run(int threads, CancellationToken stop)
    {
        IReadOnlyList<Wanted> all = [.. _texts, .. _tasks];
        if (all.Count == 0) return;
        var results = _study.ResultsIn(_folder).ById;
        var missing = Chosen(results).Where(result => all.Any(wanted => !Has(result, wanted))).ToList();
        var kept = missing.Where(result => Directory.Exists(_folder.ModelPath(result.Id))).ToList();
        if (kept.Count < missing.Count)
            _observer.Notice($"{missing.Count - kept.Count} finished runs kept no model, or an adapter only, and are not scored");
        foreach (var (index, known) in kept.Index())
        {
            // Others who share the folder score other models; what they have done meanwhile is not done again.
            string claim = $"score-{known.Id}";
            if (_folder.Claims?.TryTake(claim) == false) continue;
            var result = _folder.ReadResult(known.Id);
            var scores = new SortedDictionary<string, RunScore>(result.Scores.ToDictionary(), StringComparer.Ordinal);
            foreach (var (name, score) in Score(result, threads, stop)) scores[name] = score;
            _folder.WriteResult(result with { Scores = scores });
            _folder.Claims?.Release(claim);
            var values = all.Select(wanted =>
                string.Create(CultureInfo.InvariantCulture, $"{wanted.Name} {scores[wanted.Name].Value:0.0000}"));
            _observer.Notice($"scored {index + 1} of {kept.Count}: {result.Label}: {string.Join(", ", values)}");
        }
    }

    /// <summary>The completed runs at the best learning rate of their arm, each once.</summary>
    private IEnumerable<RunResult> Chosen(Dictionary<string, RunResult> results) =>
        _study
            .Plan(results)
            .Runs.Where(run => results.ContainsKey(run.Id))
            .GroupBy(run => (run.Regime, run.Model, run.Arm))
            .SelectMany(arm =>
            {
                double? best = RunSelection.BestRate(arm.Select(run => (run, results[run.Id])));
                return arm.Where(run => run.LearningRate == best).Select(run => results[run.Id]);
            })
            .Where(result => result.Outcome == RunOutcome.Completed)
            .DistinctBy(result => result.Id);

    private static bool Has(RunResult result, Wanted wanted) =>
        result.Scores.TryGetValue(wanted.Name, out var score) && score.Setting == wanted.Setting;

    private List<(string Name, RunScore Score)> Score(RunResult result, int threads, CancellationToken stop)
    {
        using var model = EvaluatedModel.Open(_folder.ModelPath(result.Id), ComputePrecision.F32, threads);
        var scores = new List<(string, RunScore)>();
        foreach (var text in _texts.Where(text => !Has(result, text)))
        {
            var options = new PerplexityOptions();
            var sums = new Perplexity(model.Scorer, options).Measure(
                Perplexity.Open([text.Path!], options).Documents(cancellation: stop),
                cancellation: stop);
            scores.Add((text.Name, new RunScore(sums.BitsPerByte) { HigherIsBetter = false, Setting = text.Setting }));
        }

        if (_tasks.All(task => Has(result, task))) return scores;
        var run = new TaskRunner(model.Scorer, _section.Data!, new TaskOptions { Limit = _section.Limit, Threads = threads }).Run(
            _selection,
            cancellation: stop);
        if (run.Failed.FirstOrDefault() is { } failed)
            throw new WiscaException($"task {failed.Definition.Task}: {failed.Failure!.Message}", failed.Failure.Hint, failed.Failure);
        var metrics = run.Groups.ToDictionary(group => group.Group.Name, group => group.Metrics);
        foreach (var task in run.Tasks) metrics.TryAdd(task.Definition.Task, task.Metrics);
        scores.AddRange(_tasks.Select(task => (task.Name, ToScore(metrics[task.Name], task.Setting))));
        return scores;
    }

    /// <summary>Groups, and the tasks that are in none.</summary>
    private IEnumerable<string> Reported()
    {
        var grouped = _selection.Groups.SelectMany(group => group.Tasks).ToHashSet();
        return _selection
            .Groups.Select(group => group.Name)
            .Concat(_selection.Tasks.Where(task => !grouped.Contains(task)).Select(task => task.Task));
    }

    /// <summary>One figure a task: normalised accuracy where the task has it, as leaderboards show;
    /// else accuracy; else perplexity.</summary>
    private static RunScore ToScore(IReadOnlyList<MetricValue> metrics, string? setting)
    {
        var metric =
            metrics.FirstOrDefault(value => value.Metric == TaskMetric.NormalizedAccuracy)
            ?? metrics.FirstOrDefault(value => value.Metric == TaskMetric.Accuracy)
            ?? metrics[0];
        return new RunScore(metric.Value, metric.StandardError)
        {
            HigherIsBetter = metric.Metric != TaskMetric.Perplexity,
            Setting = setting,
        };
    }

    private static string Name(string text) => $"{Path.GetFileName(text)} (bits per byte)";

    /// <summary>What tells a text from another of its name.</summary>
    private static string Contents(string text) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{new FileInfo(text).Length:N0} bytes, SHA-256 {ContentDigest.Of(text, SHA256.HashData)[..12]}");

    /// <summary>A score that is asked for.</summary>
    /// <param name="Name">Its name in results and reports.</param>
    /// <param name="Setting">What a score of that name must have been measured on to be this one.</param>
    /// <param name="Path">The text's file; null for a task.</param>
    private sealed record Wanted(string Name, string? Setting, string? Path = null);
}

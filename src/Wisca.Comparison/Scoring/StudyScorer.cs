using System.Globalization;
using Wisca.Models;
using Wisca.Scoring;
using Wisca.Tasks;

namespace Wisca.Comparison;

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
        if (_section.Data is { } data && !Directory.Exists(data)) throw new WiscaException($"scores.data {data} does not exist, expected the folder of the tasks' data files", "scores.data is relative to the folder that the command is started in");
        if (_section.Texts.FirstOrDefault(text => !File.Exists(text)) is { } missing) throw new WiscaException($"scores.texts {missing} does not exist, expected a text file", "scores.texts are relative to the folder that the command is started in");
    }

    private string TaskSetting => _section.Limit is { } limit ? string.Create(CultureInfo.InvariantCulture, $"the first {limit} documents of each task") : "";

    private IEnumerable<(string Name, string Setting)> Wanted =>
    [
        .. _section.Texts.Select(text => (Name(text), "")),
        .. Reported().Select(name => (name, TaskSetting)),
    ];

    /// <summary>Scores what is missing.</summary>
    /// <param name="threads">Number of threads.</param>
    /// <param name="stop">Looked at between batches; what is scored stays.</param>
    /// <exception cref="WiscaException">A model or a task's data cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void Run(int threads, CancellationToken stop)
    {
        if (!Wanted.Any()) return;
        var results = _folder.ReadResults();
        var missing = Chosen(results).Where(result => Wanted.Any(wanted => !Has(result, wanted))).ToList();
        var kept = missing.Where(result => Directory.Exists(_folder.ModelPath(result.Id))).ToList();
        if (kept.Count < missing.Count) _observer.Notice($"{missing.Count - kept.Count} finished runs kept no model, or an adapter only, and are not scored");
        foreach (var (index, result) in kept.Index())
        {
            var scores = new SortedDictionary<string, RunScore>(result.Scores.ToDictionary(), StringComparer.Ordinal);
            foreach (var (name, score) in Score(_folder.ModelPath(result.Id), threads, stop)) scores[name] = score;
            _folder.WriteResult(result with { Scores = scores });
            _observer.Notice($"scored {index + 1} of {kept.Count}: {result.Label}: {string.Join(", ", Wanted.Select(wanted => string.Create(CultureInfo.InvariantCulture, $"{wanted.Name} {scores[wanted.Name].Value:0.0000}")))}");
        }
    }

    /// <summary>The completed runs at the best learning rate of their arm, each once.</summary>
    private IEnumerable<RunResult> Chosen(Dictionary<string, RunResult> results) =>
        _study.Plan(results).Runs.Where(run => results.ContainsKey(run.Id)).GroupBy(run => (run.Regime, run.Model, run.Arm)).SelectMany(arm =>
        {
            double? best = RunSelection.BestRate(arm.Select(run => (run, results[run.Id])));
            return arm.Where(run => run.LearningRate == best).Select(run => results[run.Id]);
        }).Where(result => result.Outcome == RunOutcome.Completed).DistinctBy(result => result.Id);

    private static bool Has(RunResult result, (string Name, string Setting) wanted) => result.Scores.TryGetValue(wanted.Name, out var score) && (score.Setting ?? "") == wanted.Setting;

    private List<(string Name, RunScore Score)> Score(string folder, int threads, CancellationToken stop)
    {
        using var model = EvaluatedModel.Open(folder, ComputePrecision.F32, threads);
        var scores = new List<(string, RunScore)>();
        foreach (string text in _section.Texts)
        {
            var options = new PerplexityOptions();
            var sums = new Perplexity(model.Scorer, options).Measure(Perplexity.Open([text], options).Documents(), cancellation: stop);
            scores.Add((Name(text), new RunScore(sums.BitsPerByte) { HigherIsBetter = false }));
        }

        if (_selection.Tasks.Count == 0) return scores;
        var run = new TaskRunner(model.Scorer, _section.Data!, new TaskOptions { Limit = _section.Limit, Threads = threads }).Run(_selection, cancellation: stop);
        if (run.Failed.FirstOrDefault() is { } failed) throw new WiscaException($"task {failed.Definition.Task}: {failed.Failure!.Message}", failed.Failure.Hint, failed.Failure);
        var grouped = run.Groups.SelectMany(group => group.Group.Tasks).ToHashSet();
        scores.AddRange(run.Groups.Select(group => (group.Group.Name, group.Metrics)).Concat(run.Tasks.Where(task => !grouped.Contains(task.Definition)).Select(task => (Name: task.Definition.Task, task.Metrics)))
            .Select(outcome => (outcome.Name, ToScore(outcome.Metrics))));
        return scores;
    }

    /// <summary>Groups, and the tasks that are in none.</summary>
    private IEnumerable<string> Reported()
    {
        var grouped = _selection.Groups.SelectMany(group => group.Tasks).ToHashSet();
        return _selection.Groups.Select(group => group.Name).Concat(_selection.Tasks.Where(task => !grouped.Contains(task)).Select(task => task.Task));
    }

    /// <summary>One figure a task: normalised accuracy where the task has it, as leaderboards show; else accuracy; else perplexity.</summary>
    private RunScore ToScore(IReadOnlyList<MetricValue> metrics)
    {
        var metric = metrics.FirstOrDefault(value => value.Metric == TaskMetric.NormalizedAccuracy) ?? metrics.FirstOrDefault(value => value.Metric == TaskMetric.Accuracy) ?? metrics[0];
        return new RunScore(metric.Value, metric.StandardError) { HigherIsBetter = metric.Metric != TaskMetric.Perplexity, Setting = TaskSetting.Length > 0 ? TaskSetting : null };
    }

    private static string Name(string text) => $"{Path.GetFileName(text)} (bits per byte)";
}

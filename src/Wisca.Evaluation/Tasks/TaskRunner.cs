using System.Diagnostics;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;

namespace Wisca.Evaluation.Tasks;

/// <summary>Runs tasks on a model. A task that fails says so; the others are run all the same.</summary>
/// <param name="scorer">The model.</param>
/// <param name="folder">The folder that data files are looked for in.</param>
/// <param name="options">How they are run.</param>
public sealed class TaskRunner(ILogLikelihoodScorer scorer, string folder, TaskOptions options)
{
    private ScoringCounts Counts => (scorer as ModelScorer)?.Counts ?? default;

    /// <summary>Runs tasks, one after the other.</summary>
    /// <param name="selection">The tasks.</param>
    /// <param name="observer">Told how it goes; null for nobody.</param>
    /// <param name="cancellation">Looked at between batches.</param>
    /// <exception cref="WiscaException">The data folder does not exist.</exception>
    public TaskRun Run(TaskSelection selection, ITaskObserver? observer = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(selection);
        if (!Directory.Exists(folder))
            throw new WiscaException(
                $"the data folder {folder} does not exist",
                "--data names the folder that holds the tasks' data files");
        var outcomes = new List<TaskOutcome>();
        foreach (var definition in selection.Tasks)
        {
            var outcome = RunTask(definition, observer, cancellation);
            outcomes.Add(outcome);
            observer?.Ended(outcome);
        }

        return new TaskRun(outcomes, [.. selection.Groups.Select(group => Combine(group, outcomes))], options);
    }

    private TaskOutcome RunTask(TaskDefinition definition, ITaskObserver? observer, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        LoadedTask? loaded = null;
        try
        {
            loaded = TaskLoader.Load(definition, folder, options);
            LogLikelihoodRequest[] requests = [.. loaded.Items.SelectMany(item => item.Requests)];
            observer?.Started(loaded, requests.Length);
            var before = Counts;
            var answers = scorer.Score(requests, observer is null ? null : new Relay(observer, loaded), cancellation);
            var scores = TaskScorer.Score(loaded, answers);
            var metrics = TaskScorer.Aggregate(definition, scores, options, cancellation);
            return new TaskOutcome(definition, watch.Elapsed)
            {
                Loaded = loaded,
                Scores = scores,
                Metrics = metrics,
                Truncated = Counts.TruncatedContexts - before.TruncatedContexts,
                Joined = Counts.JoinedContinuations - before.JoinedContinuations,
            };
        }
        catch (WiscaException exception)
        {
            return new TaskOutcome(definition, watch.Elapsed) { Loaded = loaded, Failure = exception };
        }
    }

    private static GroupOutcome Combine(TaskGroup group, List<TaskOutcome> outcomes)
    {
        TaskOutcome[] members = [.. outcomes.Where(outcome => group.Tasks.Contains(outcome.Definition))];
        int[] sizes = [.. members.Select(member => member.Scores.Count)];
        if (members.Any(member => member.Failure is not null)) return new GroupOutcome(group, sizes.Sum(), []);
        var metrics = members[0].Metrics.Where(metric => metric.Metric != TaskMetric.Perplexity).Select(metric =>
        {
            MetricValue[] values = [.. members.Select(member => member.Metrics.Single(value => value.Metric == metric.Metric))];
            return new MetricValue(
                metric.Metric,
                TaskStatistics.GroupMean([.. values.Select(value => value.Value)], sizes, group.WeightBySize),
                TaskStatistics.PooledStandardError([.. values.Select(value => value.StandardError)], sizes));
        });
        return new GroupOutcome(group, sizes.Sum(), [.. metrics]);
    }

    private sealed class Relay(ITaskObserver observer, LoadedTask task) : IProgress<int>
    {
        public void Report(int value) => observer.Progressed(task, value);
    }
}

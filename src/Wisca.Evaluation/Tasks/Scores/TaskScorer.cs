using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Scores;

/// <summary>Turns a model's answers into a task's metrics.</summary>
internal static class TaskScorer
{
    /// <summary>What each document's answers are worth.</summary>
    /// <exception cref="WiscaException">A log-likelihood is not a number.</exception>
    public static IReadOnlyList<ItemScore> Score(LoadedTask task, LogLikelihood[] answers)
    {
        var scores = new List<ItemScore>(task.Items.Count);
        int at = 0;
        foreach (var item in task.Items)
        {
            LogLikelihood[] own = answers[at..(at += item.Requests.Count)];
            if (own.Any(answer => double.IsNaN(answer.Sum)))
                throw new WiscaException(
                    $"the log-likelihood of document {item.Id} is not a number",
                    "the model's weights may be damaged, or overflow in the precision that it is run in");
            scores.Add(new ItemScore(item, own, [.. task.Definition.Metrics.Select(metric => Value(task.Definition, metric, item, own))]));
        }

        return scores;
    }

    /// <summary>The metrics of a task.</summary>
    public static IReadOnlyList<MetricValue> Aggregate(
        TaskDefinition definition, IReadOnlyList<ItemScore> scores, TaskOptions options, CancellationToken cancellation
    ) =>
        [
            .. definition.Metrics.Select(
                (metric, index) =>
                {
                    double[] values = [.. scores.Select(score => score.Values[index])];
                    bool perplexity = metric == TaskMetric.Perplexity;
                    double? error =
                        options.BootstrapIterations == 0 ? null
                        : perplexity
                            ? TaskStatistics.PerplexityStandardError(values, options.BootstrapIterations, options.Threads, cancellation)
                        : TaskStatistics.MeanStandardError(values);
                    return new MetricValue(metric, perplexity ? TaskStatistics.Perplexity(values) : values.Average(), error);
                }),
        ];

    private static double Value(TaskDefinition definition, TaskMetric metric, TaskItem item, LogLikelihood[] answers) => metric switch
    {
        TaskMetric.Perplexity => answers[0].Sum,
        TaskMetric.Accuracy when definition.OutputType == TaskOutputType.LogLikelihood => answers[0].IsGreedy ? 1 : 0,
        TaskMetric.Accuracy => TaskStatistics.ArgMax([.. answers.Select(answer => answer.Sum)]) == item.Gold ? 1 : 0,
        TaskMetric.NormalizedAccuracy => TaskStatistics.ArgMax([
            .. answers.Select((answer, choice) => answer.Sum / item.Lengths[choice]),
        ]) == item.Gold
            ? 1
            : 0,
        _ => throw new ArgumentOutOfRangeException(nameof(metric), metric, null),
    };
}

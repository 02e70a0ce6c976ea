using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Scores;

/// <summary>A metric of a task or group.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Value">Its value.</param>
/// <param name="StandardError">Its standard error; null where it is not defined (one document, or not asked for).</param>
public sealed record MetricValue(TaskMetric Metric, double Value, double? StandardError);

using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tasks.Scores;

namespace Wisca.Evaluation.Tasks;

/// <summary>A group's metrics.</summary>
/// <param name="Group">The group.</param>
/// <param name="Documents">The number of documents of all its tasks.</param>
/// <param name="Metrics">The metrics; empty where one of its tasks failed: a mean over the others would be another quantity.</param>
public sealed record GroupOutcome(TaskGroup Group, int Documents, IReadOnlyList<MetricValue> Metrics);

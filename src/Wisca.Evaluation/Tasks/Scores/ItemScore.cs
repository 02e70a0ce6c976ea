using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Scores;

/// <summary>A document's answers, and what they are worth.</summary>
/// <param name="Item">The document.</param>
/// <param name="Answers">The answer to each of its requests.</param>
/// <param name="Values">Its value for each of the task's metrics: 1 or 0 for accuracies, the log-likelihood for a perplexity.</param>
public sealed record ItemScore(TaskItem Item, IReadOnlyList<LogLikelihood> Answers, IReadOnlyList<double> Values);

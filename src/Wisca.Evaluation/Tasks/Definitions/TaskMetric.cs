using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>What is reported about a task.</summary>
public enum TaskMetric
{
    /// <summary>Share of documents whose gold choice has the greatest log-likelihood (or whose continuation is greedy).</summary>
    [JsonStringEnumMemberName("acc")]
    Accuracy,

    /// <summary>The same, with the log-likelihood divided by the number of characters of the choice.</summary>
    [JsonStringEnumMemberName("acc_norm")]
    NormalizedAccuracy,

    /// <summary>exp of minus the mean log-likelihood of a document's continuation.</summary>
    [JsonStringEnumMemberName("perplexity")]
    Perplexity,
}

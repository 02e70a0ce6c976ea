using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>What is asked about a document.</summary>
public enum TaskOutputType
{
    /// <summary>Which of several continuations of one context is the most probable.</summary>
    [JsonStringEnumMemberName("multiple_choice")]
    MultipleChoice,

    /// <summary>Behind which of several contexts is one continuation the most probable (partial scoring).</summary>
    [JsonStringEnumMemberName("partial")]
    Partial,

    /// <summary>How probable one continuation is, and whether it is what greedy decoding would write.</summary>
    [JsonStringEnumMemberName("loglikelihood")]
    LogLikelihood,
}

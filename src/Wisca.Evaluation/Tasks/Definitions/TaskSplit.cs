using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>A part of a data set.</summary>
public enum TaskSplit
{
    /// <summary>Training.</summary>
    [JsonStringEnumMemberName("train")]
    Train,

    /// <summary>Validation.</summary>
    [JsonStringEnumMemberName("validation")]
    Validation,

    /// <summary>Test.</summary>
    [JsonStringEnumMemberName("test")]
    Test,
}

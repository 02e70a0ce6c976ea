using System.Text.Json.Serialization;

namespace Wisca.Transitions;

/// <summary>What becomes of a group.</summary>
public enum GroupOutcome
{
    /// <summary>Its factor is applied.</summary>
    [JsonStringEnumMemberName("scaled")]
    Scaled,

    /// <summary>Its factor is 1: it is balanced, or as near as a power of two brings it.</summary>
    [JsonStringEnumMemberName("unchanged")]
    Unchanged,

    /// <summary>It is left alone for a reason that is reported.</summary>
    [JsonStringEnumMemberName("skipped")]
    Skipped,
}

using System.Text.Json.Serialization;

namespace Wisca.Transitions;

/// <summary>How many channels share one factor.</summary>
public enum Granularity
{
    /// <summary>One factor per layer.</summary>
    [JsonStringEnumMemberName("tensor")]
    Tensor,

    /// <summary>One factor per key/value head, its inverse on every query head of the group.</summary>
    [JsonStringEnumMemberName("kv-head")]
    KvHead,

    /// <summary>One factor per key/value head and rotary pair; per channel where RoPE does not act. Only for queries and keys.</summary>
    [JsonStringEnumMemberName("pair")]
    Pair,

    /// <summary>One factor per key/value head and channel. Not for rotated channels.</summary>
    [JsonStringEnumMemberName("channel")]
    Channel,
}

using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>How the learning rate runs after warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the minimum.</summary>
    [JsonStringEnumMemberName("cosine")]
    Cosine,

    /// <summary>A straight line down to the minimum.</summary>
    [JsonStringEnumMemberName("linear")]
    Linear,

    /// <summary>It stays.</summary>
    [JsonStringEnumMemberName("constant")]
    Constant,

    /// <summary>It stays, and falls over the last steps.</summary>
    [JsonStringEnumMemberName("wsd")]
    WarmupStableDecay,
}

using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>How the values of kv heads are rotated.</summary>
public enum ValueRotation
{
    /// <summary>By the source that the residual stream goes by.</summary>
    [JsonStringEnumMemberName("same")]
    Same,
}

using System.Text.Json.Serialization;

namespace Wisca.Training;

/// <summary>What a transition does to the state that an optimizer keeps of the tensors it scales.</summary>
public enum StatePolicy
{
    /// <summary>State is multiplied as the quantity it estimates, so that the updates stay consistent with the scaled weights.</summary>
    [JsonStringEnumMemberName("transport")]
    Transport,

    /// <summary>State stays as it is, as a naive implementation would leave it.</summary>
    [JsonStringEnumMemberName("keep")]
    Keep,

    /// <summary>State and step count start anew.</summary>
    [JsonStringEnumMemberName("reset")]
    Reset,
}

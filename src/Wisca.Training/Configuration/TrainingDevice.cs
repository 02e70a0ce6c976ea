using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>Where a model is trained.</summary>
public enum TrainingDevice
{
    /// <summary>The processor.</summary>
    [JsonStringEnumMemberName("cpu")]
    Cpu,

    /// <summary>The first graphics card.</summary>
    [JsonStringEnumMemberName("cuda")]
    Cuda,
}

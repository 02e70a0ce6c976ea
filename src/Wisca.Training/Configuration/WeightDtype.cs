using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>The element type that weights are stored in.</summary>
public enum WeightDtype
{
    /// <summary>IEEE single precision, as trained.</summary>
    [JsonStringEnumMemberName("fp32")]
    Fp32,

    /// <summary>bfloat16: half the size, rounded once.</summary>
    [JsonStringEnumMemberName("bf16")]
    Bf16,
}

using System.Text.Json.Serialization;

namespace Wisca.Torch.Models;

/// <summary>The element type a model computes in.</summary>
public enum ComputePrecision
{
    /// <summary>IEEE single precision, whatever is stored.</summary>
    [JsonStringEnumMemberName("float32")]
    F32,

    /// <summary>The type the weights are stored in, which must be one for all of them.</summary>
    Native,

    /// <summary>IEEE double precision, whatever is stored.</summary>
    [JsonStringEnumMemberName("float64")]
    F64,
}

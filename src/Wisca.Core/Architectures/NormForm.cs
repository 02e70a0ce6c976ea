using System.Text.Json.Serialization;

namespace Wisca.Architectures;

/// <summary>What a norm computes, and how its gain is stored.</summary>
public enum NormForm
{
    /// <summary>x / rms(x) times the gain.</summary>
    [JsonStringEnumMemberName("rms")]
    Rms,

    /// <summary>x / rms(x) times 1 plus what is stored.</summary>
    [JsonStringEnumMemberName("rms_plus_one")]
    RmsPlusOne,

    /// <summary>LayerNorm: the mean is taken away first; a gain and a bias, where they are stored.</summary>
    [JsonStringEnumMemberName("layer")]
    Layer,

    /// <summary>LayerNorm of which the gain is 1 plus what is stored.</summary>
    [JsonStringEnumMemberName("layer_plus_one")]
    LayerPlusOne,
}

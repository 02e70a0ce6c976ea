using System.Text.Json.Serialization;

namespace Wisca.Rotations;

/// <summary>Which spaces of a model a rotation turns.</summary>
public enum RotationKind
{
    /// <summary>The residual stream: one rotation for the whole model.</summary>
    [JsonStringEnumMemberName("stream")]
    Stream,

    /// <summary>The values of a key/value head, between W_v and W_o.</summary>
    [JsonStringEnumMemberName("vo")]
    ValueOutput,

    /// <summary>The channels of a key/value head in which queries meet keys, where RoPE does not act.</summary>
    [JsonStringEnumMemberName("qk")]
    QueryKey,

    /// <summary>The ranks of a LoRA module, between A and B.</summary>
    [JsonStringEnumMemberName("lora")]
    LoraFactors,
}

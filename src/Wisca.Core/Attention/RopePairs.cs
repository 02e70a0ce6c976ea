using System.Text.Json.Serialization;

namespace Wisca.Attention;

/// <summary>Which two channels RoPE rotates together; r is the number of rotated channels.</summary>
public enum RopePairs
{
    /// <summary>No rotation.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>Channels i and i + r/2 ("rotate half").</summary>
    [JsonStringEnumMemberName("half")]
    Half,

    /// <summary>Channels 2i and 2i + 1 (GPT-J style).</summary>
    [JsonStringEnumMemberName("interleaved")]
    Interleaved,
}

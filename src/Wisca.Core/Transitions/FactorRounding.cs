using System.Text.Json.Serialization;

namespace Wisca.Transitions;

/// <summary>Whether factors are rounded to powers of two, which change no bit of the function and can be undone bit for bit.</summary>
public enum FactorRounding
{
    /// <summary>Powers of two where a tensor of the group is stored in 16 bits, the exact factor otherwise.</summary>
    [JsonStringEnumMemberName("auto")]
    Auto,

    /// <summary>The exact factor; each weight is rounded once.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>The nearest power of two: exponent round(log2 s), ties to even.</summary>
    [JsonStringEnumMemberName("pow2")]
    PowerOfTwo,
}

using System.Text.Json.Serialization;

namespace Wisca.Attention;

/// <summary>Which two matrices exchange a factor.</summary>
public enum TransitionKind
{
    /// <summary>W_q against W_k: they meet only in the dot product q.k.</summary>
    [JsonStringEnumMemberName("qk")]
    QueryKey,

    /// <summary>W_v against W_o: they meet linearly through the attention weights.</summary>
    [JsonStringEnumMemberName("vo")]
    ValueOutput,

    /// <summary>B against A, the factors of a LoRA module: they meet only in their product.</summary>
    [JsonStringEnumMemberName("lora")]
    LoraFactors,
}

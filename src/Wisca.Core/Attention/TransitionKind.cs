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

    /// <summary>What writes the hidden channels of an MLP against what reads them: W_up against W_down.</summary>
    [JsonStringEnumMemberName("ud")]
    UpDown,

    /// <summary>The gain of a norm against all that reads behind it.</summary>
    [JsonStringEnumMemberName("ng")]
    NormGain,

    /// <summary>The gain of the queries' norm against that of the keys' (QK-norm): they meet only in the dot product.</summary>
    [JsonStringEnumMemberName("qn")]
    QueryKeyNorm,

    /// <summary>B against A, the factors of a LoRA module: they meet only in their product.</summary>
    [JsonStringEnumMemberName("lora")]
    LoraFactors,
}

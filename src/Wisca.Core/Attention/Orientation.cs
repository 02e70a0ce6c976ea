using System.Text.Json.Serialization;

namespace Wisca.Attention;

/// <summary>How a projection's matrix is stored.</summary>
public enum Orientation
{
    /// <summary>PyTorch's Linear: [out, in]; an output channel is a row.</summary>
    [JsonStringEnumMemberName("linear")]
    Linear,

    /// <summary>GPT-2's Conv1D: [in, out]; an output channel is a column.</summary>
    [JsonStringEnumMemberName("conv1d")]
    Conv1D,
}

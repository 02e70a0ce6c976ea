using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>Where the tokenizer comes from.</summary>
public enum TokenizerSource
{
    /// <summary>Read from the folder that is named, or else from the model that is continued, or else trained.</summary>
    [JsonStringEnumMemberName("auto")]
    Auto,

    /// <summary>A byte-level BPE trained on the training text.</summary>
    [JsonStringEnumMemberName("train")]
    Train,

    /// <summary>One token a byte.</summary>
    [JsonStringEnumMemberName("bytes")]
    Bytes,
}

using System.Text.Json.Serialization;

namespace Wisca.Rotations;

/// <summary>What a slice of a tensor does in the space that its indices lie in.</summary>
public enum SliceRole
{
    /// <summary>It writes into the space: an output axis.</summary>
    [JsonStringEnumMemberName("writes")]
    Writes,

    /// <summary>It reads from the space: an input axis.</summary>
    [JsonStringEnumMemberName("reads")]
    Reads,

    /// <summary>A bias of what writes. It follows, but says nothing of a basis.</summary>
    [JsonStringEnumMemberName("bias")]
    Bias,

    /// <summary>Embeddings of tokens or positions, whose rows are written into the stream as they are.</summary>
    [JsonStringEnumMemberName("embedding")]
    Embedding,

    /// <summary>The output projection to the vocabulary. A tied one is there once, as <see cref="Embedding"/>.</summary>
    [JsonStringEnumMemberName("head")]
    Head,
}

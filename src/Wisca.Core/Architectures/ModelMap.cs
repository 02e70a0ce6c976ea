using System.Collections.Immutable;

namespace Wisca.Architectures;

/// <summary>
/// Every weight of a model with the spaces that its axes lie in, as far as they are the residual stream, the output of a norm, or between
/// two weights; what lies in a head is in <see cref="Wisca.Attention.AttentionLayer"/>.
/// </summary>
/// <param name="Axes">The axes.</param>
/// <param name="Norms">The norms.</param>
/// <param name="Hidden">What lies between two weights of a layer.</param>
/// <param name="Embeddings">The tables of embeddings whose rows are written into the stream: of tokens, of positions.</param>
/// <param name="Head">The output projection to the vocabulary; null where none is stored.</param>
/// <param name="IsTied">True where the embedding of tokens is the output projection too.</param>
/// <param name="HeadReads">The space that the output projection reads, whether it is stored or not; null where the table has none.</param>
/// <param name="Packed">Tensors that belong to a weight, but are neither its matrix nor its bias: packed values, scales, adapters.</param>
/// <param name="Undeclared">Tensors of which the table says nothing.</param>
public sealed record ModelMap(
    ImmutableArray<WeightAxis> Axes,
    ImmutableArray<ModelNorm> Norms,
    ImmutableArray<HiddenSpace> Hidden,
    ImmutableArray<string> Embeddings,
    string? Head,
    bool IsTied,
    string? HeadReads,
    ImmutableArray<string> Packed,
    ImmutableArray<string> Undeclared)
{
    /// <summary>The space of the residual stream.</summary>
    public const string Stream = "stream";
}

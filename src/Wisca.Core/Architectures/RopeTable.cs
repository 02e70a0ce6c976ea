using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>How rotary position embeddings pair the channels of a head.</summary>
/// <param name="Pairs">The pairing.</param>
/// <param name="Dims">Number of rotated channels, at the start of the head; all where neither this nor a factor is given.</param>
/// <param name="Factor">The rotated share of the head's channels.</param>
/// <param name="Unless">The condition under which the model has no RoPE at all.</param>
/// <param name="Layers">Which layers rotate, where not all do.</param>
public sealed record RopeTable(
    RopePairs Pairs, NumberTable? Dims = null, FactorTable? Factor = null, ConditionTable? Unless = null, RopeLayersTable? Layers = null)
{
    internal string? Check() =>
        !Enum.IsDefined(Pairs) ? "rope.pairs must be none, half or interleaved"
        : Pairs == RopePairs.None && (Dims is not null || Factor is not null || Unless is not null || Layers is not null)
            ? "rope.pairs is none, so rope has no other field"
        : Dims is not null && Factor is not null ? "rope has both dims and factor"
        : Dims?.Check("rope.dims", "head_dim") ?? Factor?.Check() ?? Unless?.Check("rope.unless", tensorAllowed: false) ?? Layers?.Check();
}

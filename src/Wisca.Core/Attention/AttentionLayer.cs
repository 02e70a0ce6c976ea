using System.Collections.Immutable;

namespace Wisca.Attention;

/// <summary>The attention of one layer, resolved against a checkpoint.</summary>
/// <param name="Index">The layer's index.</param>
/// <param name="Query">The query projection: one start per query head.</param>
/// <param name="Key">The key projection: one start per kv head.</param>
/// <param name="Value">The value projection: one start per kv head.</param>
/// <param name="Output">The output projection: one start per query head, on its input axis.</param>
/// <param name="RotaryDims">Number of channels at the start of each head that RoPE rotates; 0 for none.</param>
/// <param name="Refusals">The transitions that are not exact in this layer, and why.</param>
public sealed record AttentionLayer(
    int Index,
    Projection Query,
    Projection Key,
    Projection Value,
    Projection Output,
    int RotaryDims,
    ImmutableDictionary<TransitionKind, string> Refusals);

using System.Text.Json.Serialization;
using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>One layout of the attention tensors. Names are relative to the layer and lack <c>.weight</c> and <c>.bias</c>.</summary>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="O">The output projection.</param>
/// <param name="Q">The query projection, where it is separate.</param>
/// <param name="K">The key projection, where it is separate.</param>
/// <param name="V">The value projection, where it is separate.</param>
/// <param name="Qkv">The fused projection, where there is one.</param>
/// <param name="Kv">The fused projection of keys and values, where queries have one of their own.</param>
/// <param name="Orientation">How the matrices are stored.</param>
/// <param name="GatedQ">
/// True where the query projection holds, for each head, its queries and then as many channels of a gate. Gates belong to no exchange.
/// </param>
/// <param name="When">The condition (on a key) under which this layout is used; null for always.</param>
/// <param name="From">The space that queries, keys and values read, as in <see cref="WeightTable"/>.</param>
/// <param name="KvFrom">The space that keys and values read, where it is another (a latent behind its norm).</param>
/// <param name="Gate">
/// The weight of the layer that makes a gate for each channel between attention and output projection. Factors pass it, no matrix does.
/// </param>
/// <param name="ValueDim">Channels of a head's values, where they are not as many as those of its queries and keys.</param>
/// <param name="SharedDim">
/// The number of channels behind each query head's own that RoPE rotates and that meet one key for all heads. No move touches them.
/// </param>
/// <param name="To">The space that the output projection writes; the residual stream where it is null.</param>
public sealed record AttentionTable(
    NumberTable KvHeads,
    string O,
    string? Q = null,
    string? K = null,
    string? V = null,
    FusedTable? Qkv = null,
    Orientation Orientation = Orientation.Linear,
    bool? GatedQ = null,
    ConditionTable? When = null,
    [property: JsonConverter(typeof(NamesConverter))] IReadOnlyList<string>? From = null,
    [property: JsonConverter(typeof(NamesConverter))] IReadOnlyList<string>? To = null,
    string? Gate = null,
    FusedTable? Kv = null,
    [property: JsonConverter(typeof(NamesConverter))] IReadOnlyList<string>? KvFrom = null,
    NumberTable? ValueDim = null,
    NumberTable? SharedDim = null)
{
    /// <summary>The modules of the layout.</summary>
    internal IEnumerable<string> Modules => new[] { Q, K, V, Qkv?.Tensor, Kv?.Tensor, O }.OfType<string>();

    internal string? Check() =>
        Qkv is null == (Q is null || ((K is null || V is null) && Kv is null))
            ? "a layout of attention needs either qkv or q, k and v, or q and kv"
        : (Qkv is not null && (Q ?? K ?? V ?? Kv?.Tensor) is not null) || (Kv is not null && (K ?? V) is not null)
            ? "a layout of attention has both qkv and separate projections"
        : GatedQ == false ? "gated_q is true, or left out"
        : GatedQ is not null && Qkv is not null ? "gated_q stands beside a projection that is fused"
        : Modules.Any(string.IsNullOrEmpty) || Modules.Distinct(StringComparer.Ordinal).Count() != Modules.Count()
            ? "a layout of attention names a projection twice, or not at all"
        : From is null || From.Count == 0 || To is { Count: 0 } || KvFrom is { Count: 0 }
            || From.Concat(To ?? []).Concat(KvFrom ?? []).Any(string.IsNullOrEmpty)
            ? "a layout of attention has an empty from or to"
        : !Enum.IsDefined(Orientation) ? "orientation must be linear or conv1d"
        : KvFrom is not null && Qkv is not null ? "kv_from stands beside a projection that is fused"
        : Qkv?.Check("qkv") ?? Kv?.Check("kv") ?? ValueDim?.Check("value_dim", "head_dim") ?? SharedDim?.Check("shared_dim")
            ?? KvHeads.Check("kv_heads", "heads") ?? When?.Check("attention.when", tensorAllowed: false);
}

namespace Wisca.Architectures;

/// <summary>
/// How a fused projection interleaves. Its output channels are a number of equal blocks; each block holds its share of the query
/// heads, the key heads and the value heads, one after the other in the given order. One block is [q; k; v]; as many blocks as
/// kv heads is the grouped layout (and, without grouping, [q, k, v] per head).
/// </summary>
/// <param name="Tensor">Its name, relative to the layer.</param>
/// <param name="Blocks">Number of blocks, or <c>kv_heads</c>.</param>
/// <param name="Order"><c>q</c>, <c>k</c> and <c>v</c> in the order of a block; of a projection of keys and values, those two.</param>
public sealed record FusedTable(string Tensor, string Blocks, IReadOnlyList<string> Order)
{
    /// <param name="field">The field that it stands in, which is called by what it holds: <c>qkv</c> or <c>kv</c>.</param>
    internal string? Check(string field) =>
        !Order.Order(StringComparer.Ordinal).SequenceEqual(field.Order().Select(role => $"{role}"))
            ? $"{field}.order must name {(field == "kv" ? "k and v" : "q, k and v")} once each"
        : Blocks != "kv_heads" && !(int.TryParse(Blocks, out int blocks) && blocks > 0)
            ? $"{field}.blocks must be \"kv_heads\" or a number in quotes"
        : null;
}

using System.Text.Json;

namespace Wisca.Architectures;

/// <summary>Which layers rotate: a list in the configuration with one entry a layer, or all but every n-th layer.</summary>
/// <param name="Key">The key of the list.</param>
/// <param name="Without">
/// The entry that marks a layer without RoPE; every other entry counts as RoPE, which restricts more and so is exact either way.
/// </param>
/// <param name="IntervalKey">The key of n, where the list is absent.</param>
/// <param name="IntervalDefault">n where both are absent: layers n-1, 2n-1, ... do not rotate. Without it, all do.</param>
public sealed record RopeLayersTable(string Key, JsonElement Without, string? IntervalKey = null, int? IntervalDefault = null)
{
    internal string? Check() =>
        Key.Length == 0 || IntervalKey?.Length == 0 ? "rope.layers has an empty key"
        : Without.ValueKind is not (JsonValueKind.Number or JsonValueKind.String) ? "rope.layers.without must be a number or a string"
        : IntervalDefault < 1 ? "rope.layers.interval_default must be at least 1"
        : null;
}

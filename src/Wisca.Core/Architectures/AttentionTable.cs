namespace Wisca.Architectures;

/// <summary>One layout of the attention tensors. Names are relative to the layer and lack <c>.weight</c> and <c>.bias</c>.</summary>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="O">The output projection.</param>
/// <param name="Q">The query projection, where it is separate.</param>
/// <param name="K">The key projection, where it is separate.</param>
/// <param name="V">The value projection, where it is separate.</param>
/// <param name="Qkv">The fused projection, where there is one.</param>
/// <param name="Orientation">How the matrices are stored.</param>
/// <param name="When">The condition under which this layout is used; null for always.</param>
public sealed record AttentionTable(
    NumberTable KvHeads,
    string O,
    string? Q = null,
    string? K = null,
    string? V = null,
    FusedTable? Qkv = null,
    Orientation Orientation = Orientation.Linear,
    ConditionTable? When = null);

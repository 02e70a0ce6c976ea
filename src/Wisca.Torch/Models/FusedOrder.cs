namespace Wisca.Torch.Models;

/// <summary>The order of the rows of a fused query/key/value projection.</summary>
public enum FusedOrder
{
    /// <summary>All queries, then all keys, then all values.</summary>
    Blocks,

    /// <summary>For each head its query, key and value; as many kv heads as query heads.</summary>
    PerHead,
}

namespace Wisca.Core.Tests.Architectures;

/// <summary>Where the heads' rows are, as the families' papers and sources say it; d rows a head, g query heads a kv head.</summary>
internal enum FusedKind
{
    /// <summary>Three matrices; head h at h d.</summary>
    Separate,

    /// <summary>[q; k; v].</summary>
    Concatenated,

    /// <summary>For each head q, k, v.</summary>
    PerHead,

    /// <summary>For each kv head its g query heads, then k, then v.</summary>
    Grouped,

    /// <summary>Four blocks of q, v, k, each with a quarter of the heads.</summary>
    CodeGen,
}

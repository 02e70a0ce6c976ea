namespace Wisca.Core.Tests.Architectures;

/// <summary>What normalises queries and keys between projection and dot product.</summary>
internal enum HeadNorm
{
    None,

    /// <summary>RMS over a head, one gain [d] for all heads.</summary>
    RmsPerHead,

    /// <summary>RMS over a head, gain 1 + w with w [d].</summary>
    RmsPerHeadPlusOne,

    /// <summary>RMS over all heads together, gain [heads d].</summary>
    RmsWhole,

    /// <summary>Mean-centred, gain [heads, d].</summary>
    LayerNormHeads,

    /// <summary>Mean-centred with gain [d] and bias [d].</summary>
    LayerNormShared,

    /// <summary>Mean-centred, one gain tensor [d] for each head.</summary>
    LayerNormEach,
}

namespace Wisca.Library.Documents;

/// <summary>Which spaces are to be rotated.</summary>
internal sealed record RotationRequest
{
    /// <summary>The residual stream.</summary>
    public bool Stream { get; init; }

    /// <summary>The values of each kv head.</summary>
    public bool Values { get; init; }
}

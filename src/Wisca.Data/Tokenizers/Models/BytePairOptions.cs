namespace Wisca.Data.Tokenizers.Models;

/// <summary>How a byte-pair model treats what its merges do not say.</summary>
internal sealed record BytePairOptions
{
    /// <summary>The token for characters outside the vocabulary; without one they vanish.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether a run of unknown characters is one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether unknown characters are spelled by the tokens &lt;0x00&gt; to &lt;0xFF&gt; of their UTF-8 bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is itself a token is that token, whatever the merges would make of it.</summary>
    public bool IgnoreMerges { get; init; }
}

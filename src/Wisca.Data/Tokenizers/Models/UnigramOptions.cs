namespace Wisca.Data.Tokenizers.Models;

/// <summary>How a unigram model treats what its pieces do not spell, and how it adds.</summary>
internal sealed record UnigramOptions
{
    /// <summary>The token for characters that no piece spells; without one a text that has such a character is refused.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether what is unknown is spelled by the tokens &lt;0x00&gt; to &lt;0xFF&gt; of its UTF-8 bytes, if they exist.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The score of an unknown character: ten below the lowest of the pieces.</summary>
    public required double UnknownScore { get; init; }

    /// <summary>
    /// True to add as SentencePiece does, whose sums are float32 before paths are compared; false for tokenizer.json, whose sums are
    /// float64 and whose runs of unknown characters are looked up once more as a whole. Between paths of all but equal scores this decides.
    /// </summary>
    public bool AsSentencePiece { get; init; }

    /// <summary>What to call the tokenizer in an error message.</summary>
    public required string Where { get; init; }
}

using Wisca.Data.Tokenizers.Decoding;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.PreTokenizers;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>The parts of a tokenizer, in the order in which a text passes them.</summary>
internal sealed record Pipeline
{
    public required TokenizerKind Kind { get; init; }

    public required string Source { get; init; }

    public required Vocabulary Vocabulary { get; init; }

    /// <summary>Tokens beside or above those of the model.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Finds added tokens in the text as it is.</summary>
    public required AddedTokenMatcher RawMatcher { get; init; }

    /// <summary>Rewrites the text between them.</summary>
    public Func<string, string> Normalizer { get; init; } = text => text;

    /// <summary>Finds added tokens in the normalized text.</summary>
    public required AddedTokenMatcher NormalizedMatcher { get; init; }

    public IReadOnlyList<IPreTokenizer> PreTokenizers { get; init; } = [];

    public required IPieceModel Model { get; init; }

    public TokenTemplate Template { get; init; } = TokenTemplate.None;

    /// <summary>From names of tokens to text; null joins them with spaces, as the reference does.</summary>
    public IReadOnlyList<IDecoder>? Decoders { get; init; }

    public int? BosId { get; init; }

    public int? EosId { get; init; }
}

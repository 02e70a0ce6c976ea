using Wisca.Data.Tokenizers.Loading;

namespace Wisca.Data.Tokenizers;

/// <summary>
/// Turns text into the token ids of one model and back. Instances come from <see cref="TokenizerLoader.Load"/>, do not change
/// once loaded, and may be used from many threads at once.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>What the tokenizer was read from.</summary>
    public abstract TokenizerKind Kind { get; }

    /// <summary>The full path of the file that the vocabulary was read from.</summary>
    public abstract string Source { get; }

    /// <summary>
    /// One more than the highest token id. The embedding of the model has at least as many rows,
    /// and often some more for the sake of round numbers.
    /// </summary>
    public abstract int VocabularySize { get; }

    /// <summary>The token that marks the beginning of a text; null where the model has none.</summary>
    public abstract int? BosId { get; }

    /// <summary>The token that marks the end of a text; null where the model has none.</summary>
    public abstract int? EosId { get; }

    /// <summary>Turns text into token ids, as the model saw them in training.</summary>
    /// <remarks>
    /// Special tokens that are written out in the text (<c>&lt;|endoftext|&gt;</c>) become their ids, as with Hugging Face's
    /// tokenizers; in a SentencePiece model they stay text, as with SentencePiece itself. Characters that the vocabulary cannot
    /// express become its unknown token, or vanish where it has none. Half a surrogate pair counts as U+FFFD. The whole text is
    /// encoded: the truncation and padding that a tokenizer.json may ask for are the caller's business.
    /// </remarks>
    /// <param name="text">Any text; the empty one gives no token but the special ones.</param>
    /// <param name="addSpecialTokens">
    /// Whether to add what the model expects around a text (mostly BOS in front). False for a continuation of other ids.
    /// </param>
    /// <returns>Ids from 0 to below <see cref="VocabularySize"/>.</returns>
    public abstract int[] Encode(string text, bool addSpecialTokens = true);

    /// <summary>
    /// Turns token ids into text. Ids that no token has (the padding rows of an embedding) give nothing;
    /// bytes that are no UTF-8 give U+FFFD.
    /// </summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens such as BOS and EOS are left out.</param>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>The id of a token by its exact name in the vocabulary (<c>&lt;|endoftext|&gt;</c>); null where there is none.</summary>
    public abstract int? FindId(string token);

    /// <summary>The name of a token in the vocabulary, in the vocabulary's own spelling (<c>Ġthe</c>); null where there is none.</summary>
    public abstract string? FindToken(int id);
}

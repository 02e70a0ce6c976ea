namespace Wisca.Data.Tokenizers;

/// <summary>The files that a tokenizer was read from.</summary>
public enum TokenizerKind
{
    /// <summary>Hugging Face's <c>tokenizer.json</c>.</summary>
    TokenizerJson,

    /// <summary>A SentencePiece model, <c>tokenizer.model</c>.</summary>
    SentencePiece,

    /// <summary>GPT-2's pair of <c>vocab.json</c> and <c>merges.txt</c>.</summary>
    VocabularyAndMerges,
}

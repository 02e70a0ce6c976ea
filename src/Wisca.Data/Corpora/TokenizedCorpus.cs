namespace Wisca.Data.Corpora;

/// <summary>A corpus as token files.</summary>
/// <param name="Training">What to train on.</param>
/// <param name="HeldOut">What was held out; null where nothing was.</param>
/// <param name="TokenizerHash">The hash of the tokenizer.</param>
/// <param name="VocabularySize">The vocabulary's size.</param>
/// <param name="EosId">The token that ends every document.</param>
/// <param name="Reused">Whether the files were there already.</param>
public sealed record TokenizedCorpus(
    TokenizedPart Training, TokenizedPart? HeldOut, string TokenizerHash, int VocabularySize, int EosId, bool Reused = false);

namespace Wisca.Data.Corpora;

/// <summary>How a corpus becomes token files.</summary>
public sealed record CorpusTokenizerOptions
{
    /// <summary>The token that ends every document; null (the default) for the tokenizer's own EOS.</summary>
    public int? EosId { get; init; }

    /// <summary>
    /// Whether what the tokenizer puts around a text (mostly BOS in front) goes around every document.
    /// Default: false. An EOS at its end is not doubled either way.
    /// </summary>
    public bool AddSpecialTokens { get; init; }

    /// <summary>
    /// The share of the documents that is held out, from 0 (the default) to below 1. Chance decides document by document, by a hash of
    /// the seed and the text: the same text is always on the same side, whatever else is in the corpus.
    /// </summary>
    public double HeldOutFraction { get; init; }

    /// <summary>
    /// How many documents are held out, those with the smallest hashes; 0 (the default) for none. The documents are read twice for it.
    /// </summary>
    public int HeldOutCount { get; init; }

    /// <summary>Which documents are held out. Default: 0.</summary>
    public long Seed { get; init; }

    /// <summary>Number of threads that tokenise. Default: all processors. The files do not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    internal bool HoldsOut => HeldOutFraction > 0 || HeldOutCount > 0;
}

namespace Wisca.Evaluation.Scoring;

/// <summary>What is measured, and on what.</summary>
public sealed record PerplexityOptions
{
    /// <summary>What a document is.</summary>
    public DocumentKind Documents { get; init; }

    /// <summary>Whether documents are detokenised.</summary>
    public Detokenization Detokenization { get; init; }

    /// <summary>
    /// Predicted tokens of a window behind the first, so that each has more before it: an extension, which gives lower perplexities than
    /// the harness. Null for the harness's windows, which predict all their tokens.
    /// </summary>
    public int? Stride { get; init; }

    /// <summary>At most so many documents; null for all.</summary>
    public long? Limit { get; init; }
}

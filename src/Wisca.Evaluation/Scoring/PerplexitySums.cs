namespace Wisca.Evaluation.Scoring;

/// <summary>What adds up over documents.</summary>
public readonly record struct PerplexitySums
{
    /// <summary>Number of documents.</summary>
    public long Documents { get; init; }

    /// <summary>Documents whose text was detokenised and is another one now.</summary>
    public long DetokenizedDocuments { get; init; }

    /// <summary>Windows that went through the model.</summary>
    public long Windows { get; init; }

    /// <summary>Predicted tokens.</summary>
    public long Tokens { get; init; }

    /// <summary>Words of the original documents: parts between runs of white space, counted as the harness does.</summary>
    public long Words { get; init; }

    /// <summary>Bytes of the original documents in UTF-8.</summary>
    public long Bytes { get; init; }

    /// <summary>The log-likelihood of all documents, in nats.</summary>
    public double LogLikelihood { get; init; }

    /// <summary>e to the mean negative log-likelihood of a token.</summary>
    public double TokenPerplexity => Math.Exp(-LogLikelihood / Tokens);

    /// <summary>The harness's <c>word_perplexity</c>.</summary>
    public double WordPerplexity => Math.Exp(-LogLikelihood / Words);

    /// <summary>The harness's <c>byte_perplexity</c>.</summary>
    public double BytePerplexity => Math.Exp(-LogLikelihood / Bytes);

    /// <summary>The harness's <c>bits_per_byte</c>.</summary>
    public double BitsPerByte => -LogLikelihood / (Bytes * Math.Log(2));
}

using Wisca.Data.Corpora;

namespace Wisca.Cli.Verbs;

/// <summary>What <c>wisca tokenize</c> is given.</summary>
internal sealed record TokenizeArguments
{
    /// <summary>Files, folders and patterns.</summary>
    public required string[] Sources { get; init; }

    /// <summary>The tokenizer's folder or file.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>The token file to write.</summary>
    public required string Output { get; init; }

    /// <summary>How texts are read.</summary>
    public CorpusReaderOptions Reading { get; init; } = new();

    /// <summary>How they are tokenised.</summary>
    public CorpusTokenizerOptions Options { get; init; } = new();

    /// <summary>The token that ends every document; null for the tokenizer's own.</summary>
    public string? EndOfText { get; init; }

    /// <summary>True to replace token files that exist.</summary>
    public bool Force { get; init; }

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

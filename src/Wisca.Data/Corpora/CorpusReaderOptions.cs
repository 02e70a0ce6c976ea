namespace Wisca.Data.Corpora;

/// <summary>How documents are found in files.</summary>
public sealed record CorpusReaderOptions
{
    /// <summary>The separator that text files of TinyStories and GPT-2 use: <c>&lt;|endoftext|&gt;</c>.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>The field of a JSON object, or the column of a Parquet file, that holds the text. Default: <c>text</c>.</summary>
    public string Field { get; init; } = "text";

    /// <summary>
    /// The line that separates the documents of a plain text file; null where a file is one document whatever it holds. Default:
    /// <see cref="EndOfText"/>.
    /// </summary>
    public string? Separator { get; init; } = EndOfText;

    /// <summary>Whether the line break at the end of a plain text document belongs to it. Default: false.</summary>
    public bool KeepsFinalBreak { get; init; }
}

namespace Wisca.Data.Corpora.Reading;

/// <summary>How a file holds its documents.</summary>
public enum CorpusFormat
{
    /// <summary>Plain text in UTF-8: one document, or several with a separator's line between them.</summary>
    Text,

    /// <summary>JSON objects, one a line.</summary>
    JsonLines,

    /// <summary>Apache Parquet, one document a row.</summary>
    Parquet,
}

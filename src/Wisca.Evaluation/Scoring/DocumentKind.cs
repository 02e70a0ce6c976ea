namespace Wisca.Evaluation.Scoring;

/// <summary>What a document is.</summary>
public enum DocumentKind
{
    /// <summary>What lines of the separator part, and of that each page where there are WikiText's headings.</summary>
    Auto,

    /// <summary>A file; of JSON lines and Parquet, a row.</summary>
    Whole,

    /// <summary>What lines of the separator part.</summary>
    Separator,

    /// <summary>A line that is not blank.</summary>
    Line,

    /// <summary>A page that begins with a heading of WikiText's first level: " = Title = ".</summary>
    Heading,
}

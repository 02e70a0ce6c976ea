namespace Wisca.Evaluation.Scoring;

/// <summary>Whether text is detokenised before it is scored.</summary>
public enum Detokenization
{
    /// <summary>Texts with WikiText's headings are, others not.</summary>
    Auto,

    /// <summary>Every document is, by <see cref="WikitextDetokenizer"/>.</summary>
    Wikitext,

    /// <summary>None is.</summary>
    None,
}

namespace Wisca.Training.Configuration;

/// <summary>What becomes of examples that are longer than a sequence.</summary>
public enum OverlongExamples
{
    /// <summary>They lose their end; those of which no answer is left are left out.</summary>
    Truncate,

    /// <summary>They are left out.</summary>
    Drop,
}

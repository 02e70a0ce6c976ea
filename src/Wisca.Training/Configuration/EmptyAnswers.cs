namespace Wisca.Training.Configuration;

/// <summary>What becomes of examples with an empty answer.</summary>
public enum EmptyAnswers
{
    /// <summary>They are errors.</summary>
    Error,

    /// <summary>They are left out.</summary>
    Drop,
}

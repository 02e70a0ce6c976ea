namespace Wisca.Comparison.Results;

/// <summary>How a run ended. A run that failed has no result.</summary>
public enum RunOutcome
{
    /// <summary>It made all its steps.</summary>
    Completed,

    /// <summary>Its loss or its weights were not finite, or its loss exploded: that is a result too.</summary>
    Diverged,
}

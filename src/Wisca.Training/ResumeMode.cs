namespace Wisca.Training;

/// <summary>Where a run begins.</summary>
/// <param name="Checkpoint">The checkpoint to go on from; null for the latest of the run's folder, if there is one.</param>
/// <param name="Allowed">False to begin anew whatever there is.</param>
public sealed record ResumeMode(string? Checkpoint, bool Allowed)
{
    /// <summary>Goes on from the latest checkpoint of the run's folder, or begins where there is none.</summary>
    public static ResumeMode Auto { get; } = new(null, true);

    /// <summary>Begins anew.</summary>
    public static ResumeMode Never { get; } = new(null, false);

    /// <summary>Goes on from a checkpoint.</summary>
    public static ResumeMode From(string checkpoint) => new(checkpoint, true);
}

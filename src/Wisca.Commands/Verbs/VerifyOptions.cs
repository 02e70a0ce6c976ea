namespace Wisca.Commands.Verbs;

/// <summary>What <c>wisca verify</c> is asked to do beyond the certificate.</summary>
internal sealed record VerifyOptions
{
    /// <summary>A text file to run both models on, or null.</summary>
    public string? TextFile { get; init; }

    /// <summary>Number of random tokens to run both models on, or null.</summary>
    public int? Tokens { get; init; }

    /// <summary>Seed of the probes and the random tokens.</summary>
    public int Seed { get; init; }

    /// <summary>True to run in the stored dtype instead of float32.</summary>
    public bool Native { get; init; }

    /// <summary>Number of threads.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>An architecture table of the user's own, or null.</summary>
    public string? Architecture { get; init; }

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

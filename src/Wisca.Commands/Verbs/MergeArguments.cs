namespace Wisca.Commands.Verbs;

/// <summary>What <c>wisca merge</c> is given.</summary>
internal sealed record MergeArguments
{
    /// <summary>The base's folder.</summary>
    public required string Model { get; init; }

    /// <summary>The adapter's folder.</summary>
    public required string Adapter { get; init; }

    /// <summary>The folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>Number of random tokens to compare on; fewer than two for no comparison.</summary>
    public int Tokens { get; init; }

    /// <summary>Seed of the random tokens.</summary>
    public ulong Seed { get; init; }

    /// <summary>True to take an adapter that lacks a part of itself.</summary>
    public bool AllowPartial { get; init; }

    /// <summary>True to replace an existing folder that wisca wrote.</summary>
    public bool Force { get; init; }

    /// <summary>Number of threads.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

using Wisca.Architectures;
using Wisca.Rescaling;

namespace Wisca.Cli.Verbs;

/// <summary>What <c>wisca rotate</c> is given.</summary>
internal sealed record RotateArguments
{
    /// <summary>The model's folder.</summary>
    public required string Model { get; init; }

    /// <summary>The folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>What to do.</summary>
    public RotateOptions Options { get; init; } = new();

    /// <summary>An architecture table of the user's own, or null.</summary>
    public ArchitectureTable? Table { get; init; }

    /// <summary>True to replace an existing folder that wisca wrote.</summary>
    public bool Force { get; init; }

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

using Wisca.Architectures;
using Wisca.Rescaling;

namespace Wisca.Commands.Verbs;

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

    /// <summary>The folder of an adapter that goes along, or null.</summary>
    public string? Adapter { get; init; }

    /// <summary>The folder to write it to.</summary>
    public string? AdapterOutput { get; init; }

    /// <summary>True to take an adapter that lacks a part of itself.</summary>
    public bool AllowPartial { get; init; }

    /// <summary>True to replace an existing folder that wisca wrote.</summary>
    public bool Force { get; init; }

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

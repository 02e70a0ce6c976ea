namespace Wisca.Commands.Verbs;

/// <summary>What <c>wisca undo</c> is given.</summary>
internal sealed record UndoArguments
{
    /// <summary>The folder of a model or an adapter.</summary>
    public required string Model { get; init; }

    /// <summary>The folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>True to replace an existing folder that wisca wrote.</summary>
    public bool Force { get; init; }

    /// <summary>Number of threads.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

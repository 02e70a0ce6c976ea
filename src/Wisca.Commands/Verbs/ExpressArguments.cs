using Wisca.Adapters;

namespace Wisca.Commands.Verbs;

/// <summary>What <c>wisca express</c> is given.</summary>
internal sealed record ExpressArguments
{
    /// <summary>The adapter's folder.</summary>
    public required string Adapter { get; init; }

    /// <summary>The rescaled base's folder.</summary>
    public required string Model { get; init; }

    /// <summary>Which base the result is for.</summary>
    public required AdapterGauge Gauge { get; init; }

    /// <summary>The folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>True to take an adapter that lacks a part of itself.</summary>
    public bool AllowPartial { get; init; }

    /// <summary>True to replace an existing folder that wisca wrote.</summary>
    public bool Force { get; init; }

    /// <summary>True to write JSON.</summary>
    public bool Json { get; init; }
}

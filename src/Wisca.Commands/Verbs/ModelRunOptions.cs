using Wisca.Adapters;

namespace Wisca.Commands.Verbs;

/// <summary>How two models are run against each other.</summary>
/// <param name="Threads">Number of threads.</param>
public sealed record ModelRunOptions(int Threads)
{
    /// <summary>True to run in the stored dtype instead of float32.</summary>
    public bool Native { get; init; }

    /// <summary>An adapter that the first model runs with, unmerged; null for none.</summary>
    public AdapterBinding? Adapter { get; init; }
}

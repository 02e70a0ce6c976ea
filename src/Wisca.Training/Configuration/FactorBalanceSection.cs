using Wisca.Settings;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Balancing of an adapter's two factors while it trains.</summary>
public sealed record FactorBalanceSection
{
    [Setting("One factor a module (tensor), one a rank, or a matrix (gl): then A A^T = B^T B.")]
    public FactorGranularity Granularity { get; init; } = FactorGranularity.General;

    [Setting("Balance every so many steps; 0 for never.", Minimum = 0)]
    public int Every { get; init; }

    [Setting("The last step with a balancing; none for the last of the run.", Minimum = 0)]
    public int? Until { get; init; }
}

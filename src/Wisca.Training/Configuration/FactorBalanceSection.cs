using Wisca.Settings;
using Wisca.Transitions;

namespace Wisca.Training.Configuration;

/// <summary>Balancing of an adapter's two factors while it trains.</summary>
public sealed record FactorBalanceSection
{
    /// <summary>One factor a module (tensor), one a rank, or a matrix (gl): then A A^T = B^T B.</summary>
    [Setting("One factor a module (tensor), one a rank, or a matrix (gl): then A A^T = B^T B.")]
    public FactorGranularity Granularity { get; init; } = FactorGranularity.General;

    /// <summary>Balance every so many steps; 0 for never.</summary>
    [Setting("Balance every so many steps; 0 for never.", Minimum = 0)]
    public int Every { get; init; }

    /// <summary>The last step with a balancing; none for the last of the run.</summary>
    [Setting("The last step with a balancing; none for the last of the run.", Minimum = 0)]
    public int? Until { get; init; }
}

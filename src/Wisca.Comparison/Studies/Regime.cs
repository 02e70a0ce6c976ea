using Wisca.Settings;

namespace Wisca.Comparison.Studies;

/// <summary>Training settings that grids share: what is compared is compared within them.</summary>
/// <param name="Name">The name of the first grid that has them.</param>
/// <param name="Training">The settings.</param>
/// <param name="Costs">What a step of each arm costs, as a multiple of the baseline's: 1 for those that are not in it.</param>
public sealed record Regime(string Name, SettingsTree Training, IReadOnlyDictionary<string, double> Costs)
{
    /// <summary>True where arms are compared at equal time.</summary>
    public bool AtEqualTime => Costs.Count > 0;
}

using Wisca.Settings;

namespace Wisca.Comparison.Studies;

/// <summary>Training settings that grids share: what is compared is compared within them.</summary>
/// <param name="Name">The name of the first grid that has them.</param>
/// <param name="Training">The settings.</param>
public sealed record Regime(string Name, SettingsTree Training);

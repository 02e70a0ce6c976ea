using Wisca.Adapters;
using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>How an adapter is saved.</summary>
public sealed record AdapterSaveSection
{
    /// <summary>
    /// original: for the base as it lies on disk; rescaled: for the base as transitions have left it, from which wisca undo and wisca
    /// express lead back.
    /// </summary>
    [Setting(
        "original: for the base as it lies on disk; rescaled: for the base as transitions have left it, from which wisca undo and wisca "
        + "express lead back.")]
    public AdapterGauge For { get; init; } = AdapterGauge.Original;
}

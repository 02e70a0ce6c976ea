using Wisca.Settings;

namespace Wisca.Comparison.Studies;

/// <summary>A part of a study: some models, arms, seeds and learning rates in all combinations.</summary>
public sealed record GridSection
{
    /// <summary>In place of learning rates: the baseline's best.</summary>
    public const string Best = "best";

    /// <summary>A name for the grid.</summary>
    [Setting(
        "A name for the grid.", Required = true, Pattern = "[A-Za-z0-9][A-Za-z0-9._+-]*", Expected = "a name of letters, digits and ._+-")]
    public string Name { get; init; } = "";

    /// <summary>Models of this grid; empty for all.</summary>
    [Setting("Models of this grid; empty for all.")]
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Arms of this grid, beside the baseline, which is always in it; empty for all.</summary>
    [Setting("Arms of this grid, beside the baseline, which is always in it; empty for all.")]
    public IReadOnlyList<string> Arms { get; init; } = [];

    /// <summary>Seeds of this grid; empty for the study's.</summary>
    [Setting("Seeds of this grid; empty for the study's.", Minimum = 0)]
    public IReadOnlyList<long> Seeds { get; init; } = [];

    /// <summary>
    /// Learning rates of this grid; empty for the study's. best: the one at which the baseline has the lowest loss on the validation text,
    /// among the rates that grids with the same training settings state for the model.
    /// </summary>
    [Setting(
        "Learning rates of this grid; empty for the study's. best: the one at which the baseline has the lowest loss on the validation "
        + "text, among the rates that grids with the same training settings state for the model.",
        Pattern = @"best|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", Expected = "a number above 0, or best")]
    public IReadOnlyList<string> LearningRates { get; init; } = [];

    /// <summary>
    /// Settings of this grid's runs, laid over the study's and the model's. Grids whose settings differ are compared apart.
    /// </summary>
    [Setting("Settings of this grid's runs, laid over the study's and the model's. Grids whose settings differ are compared apart.")]
    public SettingsTree Training { get; init; } = SettingsTree.Empty;

    /// <summary>
    /// For a comparison at equal time: what a step of an arm costs, as a multiple of the baseline's, for each arm by name. Its runs have so
    /// many fewer steps. wisca compare --clock measures it. Grids whose costs differ are compared apart.
    /// </summary>
    [Setting(
        "For a comparison at equal time: what a step of an arm costs, as a multiple of the baseline's, for each arm by name. Its runs have "
        + "so many fewer steps. wisca compare --clock measures it. Grids whose costs differ are compared apart.",
        Expected = "a mapping of names to numbers")]
    public SettingsTree Costs { get; init; } = SettingsTree.Empty;
}

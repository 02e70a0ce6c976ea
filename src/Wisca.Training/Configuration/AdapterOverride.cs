using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Another rank or alpha for some modules.</summary>
public sealed record AdapterOverride
{
    [Setting(
        "Regular expression that the end of a module's path must match, as in PEFT's rank_pattern: q_proj, or layers.0.self_attn.q_proj. "
        + "The first that matches holds.",
        Required = true)]
    public string Modules { get; init; } = "";

    [Setting("Rank; none for the common one.", Minimum = 1)]
    public int? R { get; init; }

    [Setting("Alpha; none for the common one.", Minimum = 0, Above = true)]
    public double? Alpha { get; init; }
}

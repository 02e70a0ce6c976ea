using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>Another rank or alpha for some modules.</summary>
public sealed record AdapterOverride
{
    /// <summary>
    /// Regular expression that the end of a module's path must match, as in PEFT's rank_pattern: q_proj, or layers.0.self_attn.q_proj. The
    /// first that matches holds.
    /// </summary>
    [Setting(
        "Regular expression that the end of a module's path must match, as in PEFT's rank_pattern: q_proj, or layers.0.self_attn.q_proj. "
        + "The first that matches holds.",
        Required = true)]
    public string Modules { get; init; } = "";

    /// <summary>Rank; none for the common one.</summary>
    [Setting("Rank; none for the common one.", Minimum = 1)]
    public int? R { get; init; }

    /// <summary>Alpha; none for the common one.</summary>
    [Setting("Alpha; none for the common one.", Minimum = 0, Above = true)]
    public double? Alpha { get; init; }
}

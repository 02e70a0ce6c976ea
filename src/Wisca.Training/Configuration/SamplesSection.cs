using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>Text that a model writes while it trains.</summary>
public sealed record SamplesSection : ISettingsSection
{
    /// <summary>What the model continues.</summary>
    [Setting("What the model continues.")]
    public IReadOnlyList<string> Prompts { get; init; } = ["Once upon a time"];

    /// <summary>How many tokens it writes.</summary>
    [Setting("How many tokens it writes.", Minimum = 1)]
    public int Tokens { get; init; } = 64;

    /// <summary>Temperature; 0 for the likeliest token every time.</summary>
    [Setting("Temperature; 0 for the likeliest token every time.", Minimum = 0)]
    public double Temperature { get; init; } = 0.8;

    /// <summary>Write every so many steps; 0 for never.</summary>
    [Setting("Write every so many steps; 0 for never.", Minimum = 0)]
    public int Every { get; init; } = 500;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Every > 0 && Prompts.Count == 0)
            given.Contradict(["prompts", "every"], "an empty list, expected at least one prompt or every: 0");
        return this;
    }
}

using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Text that a model writes while it trains.</summary>
public sealed record SamplesSection : ISettingsSection
{
    [Setting("What the model continues.")]
    public IReadOnlyList<string> Prompts { get; init; } = ["Once upon a time"];

    [Setting("How many tokens it writes.", Minimum = 1)]
    public int Tokens { get; init; } = 64;

    [Setting("Temperature; 0 for the likeliest token every time.", Minimum = 0)]
    public double Temperature { get; init; } = 0.8;

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

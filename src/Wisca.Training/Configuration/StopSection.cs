using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>When a run ends before its last step. A loss that is not finite always ends it.</summary>
public sealed record StopSection
{
    /// <summary>The run ends, naming the last good checkpoint, where the loss exceeds its running average by this factor.</summary>
    [Setting(
        "The run ends, naming the last good checkpoint, where the loss exceeds its running average by this factor.", Minimum = 1,
        Above = true)]
    public double? LossExplosion { get; init; } = 3;

    /// <summary>The run ends, with a checkpoint, after so many minutes.</summary>
    [Setting("The run ends, with a checkpoint, after so many minutes.", Minimum = 0, Above = true)]
    public double? Minutes { get; init; }
}

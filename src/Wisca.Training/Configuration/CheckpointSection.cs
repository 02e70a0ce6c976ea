using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>Checkpoints of a run.</summary>
public sealed record CheckpointSection
{
    [Setting("A checkpoint every so many steps, and at the end in any case; 0 for the end only.", Minimum = 0)]
    public int Every { get; init; } = 500;

    [Setting("How many of the latest checkpoints stay.", Minimum = 1)]
    public int Keep { get; init; } = 2;

    [Setting("Whether the checkpoint with the lowest held-out loss stays too.")]
    public bool Best { get; init; } = true;

    [Setting("What weights are stored in. Resuming a run bit for bit needs fp32.")]
    public WeightDtype Dtype { get; init; } = WeightDtype.Fp32;
}

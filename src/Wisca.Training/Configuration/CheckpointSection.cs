using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>Checkpoints of a run.</summary>
public sealed record CheckpointSection
{
    /// <summary>A checkpoint every so many steps, and at the end in any case; 0 for the end only.</summary>
    [Setting("A checkpoint every so many steps, and at the end in any case; 0 for the end only.", Minimum = 0)]
    public int Every { get; init; } = 500;

    /// <summary>How many of the latest checkpoints stay.</summary>
    [Setting("How many of the latest checkpoints stay.", Minimum = 1)]
    public int Keep { get; init; } = 2;

    /// <summary>Whether the checkpoint with the lowest held-out loss stays too.</summary>
    [Setting("Whether the checkpoint with the lowest held-out loss stays too.")]
    public bool Best { get; init; } = true;

    /// <summary>What weights are stored in. Resuming a run bit for bit needs fp32.</summary>
    [Setting("What weights are stored in. Resuming a run bit for bit needs fp32.")]
    public WeightDtype Dtype { get; init; } = WeightDtype.Fp32;
}

using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>How several processes, started by <c>mpirun</c>, train one model. What is computed does not depend on it.</summary>
public sealed record DistributedSection
{
    /// <summary>
    /// Whether each process keeps the optimizer's state of a part of the parameters only, and updates those: less memory, and the weights
    /// move once more.
    /// </summary>
    [Setting(
        "Whether each process keeps the optimizer's state of a part of the parameters only, and updates those: less memory, and the "
        + "weights move once more.")]
    public bool ShardOptimizer { get; init; }

    /// <summary>Gradients are added up in pieces of so many MB: one is added up while the next moves.</summary>
    [Setting(
        "Gradients are added up in pieces of so many MB: one is added up while the next moves.", Minimum = 0, Above = true, Maximum = 1024)]
    public double BucketMegabytes { get; init; } = 25;

    /// <summary>The run ends where a process waits for the others for more than so many seconds.</summary>
    [Setting("The run ends where a process waits for the others for more than so many seconds.", Minimum = 0, Above = true)]
    public double Timeout { get; init; } = 1800;
}

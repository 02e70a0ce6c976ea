using Wisca.Checkpoints;

namespace Wisca.Training.Checkpointing;

/// <summary>What lies where in a run's folder, and in each of its checkpoints.</summary>
public static class RunLayout
{
    /// <summary>The configuration as it was used.</summary>
    internal const string Config = "config.yaml";

    /// <summary>The metrics, one JSON object a line (<see cref="Logging.MetricNames"/>).</summary>
    public const string Metrics = "metrics.jsonl";

    /// <summary>The folder of TensorBoard's event files.</summary>
    public const string TensorBoard = "tensorboard";

    /// <summary>The folder of tokenised text.</summary>
    internal const string Cache = "cache";

    /// <summary>The folder of checkpoints.</summary>
    internal const string Checkpoints = "checkpoints";

    /// <summary>The file that one run at a time holds.</summary>
    internal const string Lock = ".lock";

    /// <summary>Among the checkpoints: names the latest.</summary>
    internal const string Latest = "latest.json";

    /// <summary>Among the checkpoints: names the best.</summary>
    internal const string Best = "best.json";

    /// <summary>What the name of a checkpoint begins with; six digits or more follow.</summary>
    internal const string StepPrefix = "step-";

    /// <summary>In a checkpoint: the folder of what resuming needs.</summary>
    public const string Training = SideFiles.TrainingFolder;

    /// <summary>In a checkpoint: the state of the run, without which it counts as incomplete.</summary>
    internal const string State = Training + "/" + SideFiles.TrainingStateName;

    /// <summary>In a checkpoint: the state of the optimizer.</summary>
    internal const string Optimizer = Training + "/optimizer.safetensors";

    /// <summary>In a checkpoint: the average of the weights, in float32.</summary>
    internal const string AverageState = Training + "/average.safetensors";

    /// <summary>In a checkpoint: the products of all rotations so far, and what the next go by.</summary>
    internal const string Rotations = Training + "/rotations.safetensors";

    /// <summary>In a checkpoint: the products of all matrices that balanced heads so far.</summary>
    internal const string Heads = Training + "/heads.safetensors";

    /// <summary>In a checkpoint: the factors of the adapter, in float32.</summary>
    internal const string AdapterState = Training + "/adapter.safetensors";

    /// <summary>In a checkpoint: the transitions of the base so far.</summary>
    internal const string Transitions = Training + "/transitions.json";

    /// <summary>In a checkpoint: the model whose weights are the average.</summary>
    internal const string Average = "average";
}

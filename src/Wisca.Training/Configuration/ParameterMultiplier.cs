using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>A learning rate for some of the tensors.</summary>
public sealed record ParameterMultiplier
{
    /// <summary>Pattern of tensor names, in which * stands for anything.</summary>
    [Setting("Pattern of tensor names, in which * stands for anything.", Required = true)]
    public string Parameters { get; init; } = "";

    /// <summary>
    /// Which of several equal parts along the tensors' last axis is meant: 3/3 for the values in gpt2's c_attn, which holds queries, keys
    /// and values. none for whole tensors. Not for muon's and soap's matrices.
    /// </summary>
    [Setting(
        "Which of several equal parts along the tensors' last axis is meant: 3/3 for the values in gpt2's c_attn, which holds queries, "
        + "keys and values. none for whole tensors. Not for muon's and soap's matrices.",
        Pattern = @"\d{1,3}/\d{1,3}", Expected = "a part such as 3/3")]
    public string? Part { get; init; }

    /// <summary>Multiple of the common learning rate; 0 to leave the tensors as they are.</summary>
    [Setting("Multiple of the common learning rate; 0 to leave the tensors as they are.", Minimum = 0)]
    public double LearningRate { get; init; } = 1;

    /// <summary>Whether the tensors decay as fast as without the multiplier, instead of with their own learning rate.</summary>
    [Setting("Whether the tensors decay as fast as without the multiplier, instead of with their own learning rate.")]
    public bool KeepDecay { get; init; }

    /// <summary>
    /// Multiple of the common epsilon, for optimizers that have one. Training s x W is training W at learning rate / s with epsilon x s.
    /// </summary>
    [Setting(
        "Multiple of the common epsilon, for optimizers that have one. Training s x W is training W at learning rate / s with epsilon x s.",
        Minimum = 0, Above = true)]
    public double Epsilon { get; init; } = 1;

    /// <summary>Weight decay of these tensors, also of such that have none otherwise; none to leave it as it is.</summary>
    [Setting("Weight decay of these tensors, also of such that have none otherwise; none to leave it as it is.", Minimum = 0)]
    public double? WeightDecay { get; init; }
}

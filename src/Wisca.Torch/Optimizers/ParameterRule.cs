namespace Wisca.Torch.Optimizers;

/// <summary>Settings for the parameters whose names match a pattern.</summary>
/// <param name="Pattern">A parameter's name, in which each <c>*</c> stands for any characters: <c>*.self_attn.q_proj.*</c>.</param>
public sealed record ParameterRule(string Pattern)
{
    /// <summary>Multiplies the learning rate. Not negative; 0 freezes the parameter. The default is 1.</summary>
    public double LearningRateMultiplier { get; init; } = 1;

    /// <summary>
    /// True to divide the weight decay by <see cref="LearningRateMultiplier"/>, so that learning rate times weight decay, the share of the
    /// weight that a step takes away, stays what it is without the multiplier. The default is false.
    /// </summary>
    public bool KeepDecay { get; init; }

    /// <summary>The weight decay, also of parameters that otherwise have none; null, the default, to leave it as it is.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>
    /// Which of several equal parts of the parameter along its last axis the rule is for, counted from 1, and of how many: 3 of 3 for the
    /// values where GPT-2 stores queries, keys and values as one. Null, the default, for the whole parameter.
    /// </summary>
    public (int Number, int Of)? Part { get; init; }

    /// <summary>Multiplies the epsilon of optimizers that have one. Positive. The default is 1.</summary>
    public double EpsilonMultiplier { get; init; } = 1;
}

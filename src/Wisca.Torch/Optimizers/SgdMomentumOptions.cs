namespace Wisca.Torch.Optimizers;

/// <summary>Options of <see cref="SgdMomentum"/>.</summary>
public sealed record SgdMomentumOptions
{
    /// <summary>What a step keeps of the buffer, in [0, 1). 0 keeps no buffer. The default is 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>True to step along the gradient plus momentum times the buffer (Nesterov). The default is false.</summary>
    public bool Nesterov { get; init; }

    /// <summary>
    /// False, the default and PyTorch's SGD, to add weight decay times weight to the gradient, so that it passes through the momentum; true
    /// to shrink the weight by learning rate times weight decay beside it, as AdamW does.
    /// </summary>
    public bool DecoupledDecay { get; init; }

    /// <summary>Weight decay (here 0 by default), groups and multipliers.</summary>
    public ParameterSettings Parameters { get; init; } = new() { WeightDecay = 0 };

    internal void Check()
    {
        OptionCheck.Decay("momentum", Momentum);
        if (Nesterov && Momentum == 0)
            throw new WiscaException("nesterov is set and momentum is 0", "give momentum a value, or leave nesterov out");
    }
}

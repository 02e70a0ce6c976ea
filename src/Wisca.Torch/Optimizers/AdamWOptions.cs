namespace Wisca.Torch.Optimizers;

/// <summary>Options of <see cref="AdamW"/>.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay of the first moment per step, in [0, 1). The default is 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment per step, in [0, 1). The default is 0.95, as language models are trained.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second moment, in units of the gradient; positive. The default is 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay, groups and multipliers.</summary>
    public ParameterSettings Parameters { get; init; } = new();

    internal void Check()
    {
        OptionCheck.Decay("beta1", Beta1);
        OptionCheck.Decay("beta2", Beta2);
        if (!(Epsilon > 0) || !double.IsFinite(Epsilon)) throw new WiscaException($"epsilon is {Epsilon}, expected a positive number");
    }
}

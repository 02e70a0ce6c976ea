namespace Wisca.Torch.Optimizers;

/// <summary>Options of <see cref="Lion"/>.</summary>
public sealed record LionOptions
{
    /// <summary>Weight of the old average in the direction of the step, in [0, 1). The default is 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the average per step, in [0, 1). The default is 0.99.</summary>
    public double Beta2 { get; init; } = 0.99;

    /// <summary>Weight decay, groups and multipliers. Learning rates are about a tenth of AdamW's, weight decays ten times its.</summary>
    public ParameterSettings Parameters { get; init; } = new();

    internal void Check()
    {
        OptionCheck.Decay("beta1", Beta1);
        OptionCheck.Decay("beta2", Beta2);
    }
}

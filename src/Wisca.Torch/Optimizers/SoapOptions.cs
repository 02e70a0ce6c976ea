namespace Wisca.Torch.Optimizers;

/// <summary>Options of <see cref="Soap"/>; the defaults are the paper's.</summary>
public sealed record SoapOptions
{
    /// <summary>Decay of the first moment per step, in [0, 1). The default is 0.95.</summary>
    public double Beta1 { get; init; } = 0.95;

    /// <summary>Decay of the second moment per step, in [0, 1). The default is 0.95.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Decay of the Gram matrices per step, in [0, 1); null, the default, for <see cref="Beta2"/>.</summary>
    public double? ShampooBeta { get; init; }

    /// <summary>Added to the root of the second moment, in units of the gradient; positive. The default is 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>The bases are brought nearer to the eigenvectors after every so many updates; from 1. The default is 10.</summary>
    public int Refresh { get; init; } = 10;

    /// <summary>A side of a matrix that is longer than this keeps its own basis; from 0. The default is 10,000.</summary>
    public int MaxDimension { get; init; } = 10_000;

    /// <summary>Weight decay, groups and multipliers.</summary>
    public ParameterSettings Parameters { get; init; } = new();

    /// <summary>AdamW with the same decays, for what is not rotated.</summary>
    internal AdamWOptions AdamW => new()
    {
        Beta1 = Beta1,
        Beta2 = Beta2,
        Epsilon = Epsilon,
        Parameters = Parameters,
    };

    internal void Check()
    {
        AdamW.Check();
        OptionCheck.Decay("shampoo beta", ShampooBeta ?? Beta2);
        if (Refresh < 1) throw new WiscaException($"refresh is {Refresh}, expected a number from 1");
        if (MaxDimension < 0) throw new WiscaException($"the largest dimension is {MaxDimension}, expected a number from 0");
    }
}

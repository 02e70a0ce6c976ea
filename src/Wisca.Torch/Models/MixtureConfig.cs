namespace Wisca.Torch.Models;

/// <summary>A mixture of experts.</summary>
/// <param name="Experts">Number of experts in a layer.</param>
/// <param name="ExpertsPerToken">How many of them a token goes through: those of the largest router probability, weighted by it.</param>
public sealed record MixtureConfig(int Experts, int ExpertsPerToken)
{
    /// <summary>True where the weights of a token's experts are divided by their sum.</summary>
    public bool NormalizeWeights { get; init; } = true;

    /// <summary>Inner width of each expert.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Inner width of the expert that every token goes through, behind a sigmoid gate of its own; null for none.</summary>
    public int? SharedIntermediateSize { get; init; }

    /// <summary>
    /// The weight of the load-balancing loss in training (Fedus, Zoph and Shazeer, Switch Transformers, 2022, over all layers at once as in
    /// Hugging Face transformers): experts x the sum over experts of (choices / tokens) x mean router probability.
    /// </summary>
    public double BalanceWeight { get; init; }
}

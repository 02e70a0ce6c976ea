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

    /// <summary>
    /// True where an expert's score is the sigmoid of the router's output, and a bias for each expert, which no gradient reaches, joins the
    /// scores where experts are chosen but not where they are weighted (DeepSeek-AI, DeepSeek-V3, 2024).
    /// </summary>
    public bool SigmoidScores { get; init; }

    /// <summary>Number of equal groups of experts; a token's experts are of those groups whose two best scores add up to most.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>How many groups a token's experts are chosen from.</summary>
    public int GroupsPerToken { get; init; } = 1;

    /// <summary>The factor on the weights of a token's experts.</summary>
    public double WeightScale { get; init; } = 1;

    /// <summary>Inner width of the expert that every token goes through, behind a sigmoid gate of its own where
    /// <see cref="DecoderNames.SharedExpertGate"/> is set; null for none.</summary>
    public int? SharedIntermediateSize { get; init; }

    /// <summary>
    /// The weight of the load-balancing loss in training (Fedus, Zoph and Shazeer, Switch Transformers, 2022, over all layers at once as in
    /// Hugging Face transformers): experts x the sum over experts of (choices / tokens) x mean router probability.
    /// </summary>
    public double BalanceWeight { get; init; }
}

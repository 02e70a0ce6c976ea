using System.Collections.Immutable;

namespace Wisca.Torch.Optimizers;

/// <summary>Which parameters decay, and what differs from parameter to parameter.</summary>
public sealed record ParameterSettings
{
    /// <summary>
    /// The weight decay of parameters with two or more dimensions; 0.1 by default. Parameters with fewer, biases and the gains of norms,
    /// have none unless a rule says so.
    /// </summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Whether the parameters of <see cref="EmbeddingPatterns"/> decay. The default is true.</summary>
    public bool DecayEmbeddings { get; init; } = true;

    /// <summary>Which parameters are embeddings; the default knows the names of the decoders here. Patterns as in
    /// <see cref="ParameterRule"/>.</summary>
    public ImmutableArray<string> EmbeddingPatterns { get; init; } =
        ["*embed_tokens.weight", "*wte.weight", "*wpe.weight", "*embed_in.weight", "*word_embeddings.weight", "*embed_positions.weight"];

    /// <summary>
    /// Rules for parameters by name, applied in order. Where several match one parameter their multipliers multiply, and of their weight
    /// decays the last holds. A rule that matches nothing is an error.
    /// </summary>
    public ImmutableArray<ParameterRule> Rules { get; init; } = [];
}

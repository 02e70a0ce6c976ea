using System.Collections.Immutable;

namespace Wisca.Torch.Models;

/// <summary>How a new model's weights are drawn, where it is not as the family does it.</summary>
public sealed record InitializationOptions
{
    /// <summary>Standard deviation of projections and embeddings; null for <see cref="DecoderConfig.StandardDeviation"/>.</summary>
    public double? StandardDeviation { get; init; }

    /// <summary>Whether projections into the residual stream start smaller by sqrt(2 x layers); null for
    /// <see cref="DecoderConfig.ScalesResidual"/>.</summary>
    public bool? ScalesResidual { get; init; }

    /// <summary>Other standard deviations for some parameters, norms and biases among them; the first whose pattern fits holds.</summary>
    public ImmutableArray<InitializationOverride> Overrides { get; init; } = [];
}

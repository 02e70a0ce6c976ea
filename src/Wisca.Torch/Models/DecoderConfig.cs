using System.Collections.Immutable;
using Wisca.Checkpoints;

namespace Wisca.Torch.Models;

/// <summary>
/// Everything a decoder is built from, read from a Hugging Face <c>config.json</c> and checked: a value of the wrong type, a missing size
/// and a feature that the forward pass does not have are errors that name the key. No value that changes the function is passed over.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary>The family, as <c>model_type</c> names it.</summary>
    public required string ModelType { get; init; }

    /// <summary>Number of tokens.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>The longest sequence the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>The layers, in order.</summary>
    public required ImmutableArray<LayerConfig> Layers { get; init; }

    /// <summary>Every layer's attention.</summary>
    public required AttentionConfig Attention { get; init; }

    /// <summary>Every layer's feed-forward part.</summary>
    public required FeedForwardConfig FeedForward { get; init; }

    /// <summary>Every norm.</summary>
    public required NormConfig Norm { get; init; }

    /// <summary>What the tensors are called, and which of them there are.</summary>
    public required DecoderNames Names { get; init; }

    /// <summary>True where attention and feed-forward part read the same residual stream and are added together.</summary>
    public bool Parallel { get; init; }

    /// <summary>The factor on token embeddings.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Where position 0 stands in the learned position embeddings, if there are any.</summary>
    public int PositionOffset { get; init; }

    /// <summary>True where the output projection is the embedding.</summary>
    public bool TiedHead { get; init; }

    /// <summary>True where the output projection has a bias.</summary>
    public bool HeadBias { get; init; }

    /// <summary>The factor on logits.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>The limit c of logits, which become c tanh(logit / c) (gemma2); null for none.</summary>
    public double? LogitCap { get; init; }

    /// <summary>The factor on what attention and feed-forward part add to the residual stream.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Standard deviation of the weights of a new model.</summary>
    public double StandardDeviation { get; init; } = 0.02;

    /// <summary>
    /// True where a new model's projections into the residual stream start smaller by sqrt(2 x layers), so that the stream does not grow
    /// with depth (Radford et al., GPT-2, 2019).
    /// </summary>
    public bool ScalesResidual { get; init; }

    /// <summary>What the configuration was read from; null where it was put together in code.</summary>
    public ModelConfig? Source { get; init; }

    /// <summary>The values of <c>model_type</c> that have a forward pass here.</summary>
    public static ImmutableArray<string> ModelTypes { get; } = [.. DecoderFamilies.ByModelType.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Reads and checks a configuration.</summary>
    /// <exception cref="WiscaException">The family is not supported, or a key is missing,
    /// wrong or asks for something that is not there.</exception>
    public static DecoderConfig From(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (DecoderFamilies.ByModelType.TryGetValue(config.ModelType, out var read))
        {
            var reader = new ConfigReader(config);
            var decoder = read(reader);
            reader.CheckWidth(decoder.Attention);
            return decoder with { Source = config, StandardDeviation = reader.NumberOr("initializer_range", decoder.StandardDeviation) };
        }

        throw new WiscaException(
            $"{config.File}: model_type '{config.ModelType}' has no forward pass here; there is one for {string.Join(", ", ModelTypes)}",
            "what needs no forward pass (inspect, rescale, the certificate of verify) works "
            + "for every architecture that 'wisca architectures' lists");
    }
}

using Wisca.Torch.Models;

namespace Wisca.Tests.Torch;

/// <summary>What <see cref="Rounding"/> allows between two forward passes of a decoder.</summary>
internal static class PassRounding
{
    /// <summary>The difference between logits that is allowed, relative to the largest of them.</summary>
    /// <param name="config">The model.</param>
    /// <param name="positions">Tokens in a sequence.</param>
    /// <param name="unit">What one rounding errs by at most, relative.</param>
    public static double OfLogits(DecoderConfig config, int positions, double unit = Rounding.Float32)
    {
        // On the way to a logit, each layer adds up a row of q, k, v, o and of the feed-forward's inputs, a head's channels, the positions
        // that are looked at, and the hidden channels; two norms add up a row each. Last come the final norm and the head.
        int layer = (7 * config.HiddenSize) + config.Attention.HeadDim + positions + config.FeedForward.IntermediateSize;
        return Rounding.Of(unit, (config.Layers.Length * layer) + (2 * config.HiddenSize));
    }

    /// <summary>The difference between the log-likelihoods of a token that is allowed; a loss is a mean of them.</summary>
    /// <param name="config">The model.</param>
    /// <param name="positions">Tokens in a sequence.</param>
    /// <param name="largestLogit">The size of its logits: a log-likelihood is a difference of two numbers of this size.</param>
    public static double OfLikelihood(DecoderConfig config, int positions, double largestLogit) =>
        2 * largestLogit * OfLogits(config, positions);
}

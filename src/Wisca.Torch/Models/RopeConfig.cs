using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Torch.Models;

/// <summary>Rotary position embeddings (Su et al., RoFormer, 2021): pair i turns by position x frequency i.</summary>
/// <param name="Pairs">Which channels make a pair.</param>
/// <param name="Frequencies">
/// Radians per position, one for each pair, scaling applied; twice as many channels, at the start of each head, are rotated.
/// </param>
public sealed record RopeConfig(RopePairs Pairs, ImmutableArray<double> Frequencies)
{
    /// <summary>The usual frequencies, theta^(-2i / dims) for pair i.</summary>
    /// <param name="dims">Number of rotated channels.</param>
    /// <param name="theta">The base.</param>
    public static ImmutableArray<double> Unscaled(int dims, double theta) =>
        [.. Enumerable.Range(0, dims / 2).Select(pair => Math.Pow(theta, -2.0 * pair / dims))];

    /// <summary>
    /// Llama 3.1's scaling: wavelengths longer than context / lowFactor are stretched by factor, those shorter than context / highFactor
    /// stay, and between them the two are blended linearly in context / wavelength (transformers, modeling_rope_utils).
    /// </summary>
    /// <param name="frequency">The unscaled frequency.</param>
    /// <param name="factor">The stretch of long wavelengths.</param>
    /// <param name="lowFactor">Turns over the original context below which a pair is stretched.</param>
    /// <param name="highFactor">Turns over the original context above which it is not.</param>
    /// <param name="context">The original context length.</param>
    public static double ScaleLlama3(double frequency, double factor, double lowFactor, double highFactor, int context)
    {
        double turns = context * frequency / (2 * Math.PI);
        double kept = Math.Clamp((turns - lowFactor) / (highFactor - lowFactor), 0, 1);
        return (kept * frequency) + ((1 - kept) * frequency / factor);
    }
}

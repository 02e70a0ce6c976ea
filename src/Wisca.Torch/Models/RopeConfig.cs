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
    /// <summary>The factor on the rotated channels of queries and of keys (YaRN, LongRoPE).</summary>
    public double Magnitude { get; init; } = 1;

    /// <summary>The longest sequence that turns by <see cref="Frequencies"/>; null where all do.</summary>
    public int? Limit { get; init; }

    /// <summary>The frequencies of sequences beyond the limit, where they are stated (LongRoPE); default elsewhere.</summary>
    public ImmutableArray<double> LongFrequencies { get; init; }

    /// <summary>How much of what a sequence is longer than the limit stretches its base ("dynamic"); where there are no
    /// <see cref="LongFrequencies"/>.</summary>
    public double DynamicFactor { get; init; } = 1;

    /// <summary>
    /// The frequencies of sequences of a length. Where that is beyond <see cref="Limit"/>, every position of them turns otherwise, the
    /// first ones too: what is computed for a shorter sequence does not hold for a longer one. Of sequences in one batch the longest rules.
    /// </summary>
    /// <param name="length">Number of positions, those in front of what is computed included.</param>
    public ImmutableArray<double> FrequenciesOf(long length)
    {
        if (Limit is null || length <= Limit) return Frequencies;
        if (!LongFrequencies.IsDefault) return LongFrequencies;

        // The base grows by growth^(dims / (dims - 2)), so that the longest wavelength grows by growth and the shortest stays.
        double growth = (DynamicFactor * length / Limit.Value) - (DynamicFactor - 1);
        return [.. Frequencies.Select((frequency, pair) => frequency * Math.Pow(growth, -(double)pair / (Frequencies.Length - 1)))];
    }

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

    /// <summary>YaRN's factor on rotated channels for a stretch.</summary>
    /// <param name="factor">The stretch of long wavelengths.</param>
    /// <param name="scale">How strongly it grows with the stretch.</param>
    public static double YarnMagnitude(double factor, double scale = 1) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

    /// <summary>
    /// YaRN's scaling (Peng et al., 2023): pairs that turn often over the original context stay, those that turn seldom are stretched by
    /// factor, and between them the two are blended linearly in the number of the pair (transformers, modeling_rope_utils).
    /// </summary>
    /// <param name="dims">Number of rotated channels.</param>
    /// <param name="theta">The base.</param>
    /// <param name="factor">The stretch of long wavelengths.</param>
    /// <param name="context">The original context length.</param>
    /// <param name="fastTurns">Turns over the original context from which on a pair stays.</param>
    /// <param name="slowTurns">Turns over the original context up to which a pair is stretched.</param>
    /// <param name="truncate">True where the blend begins and ends at whole pairs.</param>
    public static ImmutableArray<double> ScaleYarn(
        int dims, double theta, double factor, int context, double fastTurns, double slowTurns, bool truncate)
    {
        double low = Pair(fastTurns), high = Pair(slowTurns);
        if (truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, dims - 1));
        if (low == high) high += 0.001;
        return [.. Unscaled(dims, theta).Select((frequency, pair) =>
        {
            double stretched = Math.Clamp((pair - low) / (high - low), 0, 1);
            return (frequency / factor * stretched) + (frequency * (1 - stretched));
        })];

        // The pair that makes so many turns.
        double Pair(double turns) => dims * Math.Log(context / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}

using Wisca.Numerics;

namespace Wisca.Torch.Proofs;

/// <summary>Token ids drawn evenly from a vocabulary; the same on every machine.</summary>
public static class RandomTokens
{
    /// <summary>Draws ids.</summary>
    /// <param name="count">How many.</param>
    /// <param name="vocabulary">One more than the largest id.</param>
    /// <param name="seed">Which of the sequences.</param>
    public static int[] Draw(int count, int vocabulary, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        int[] tokens = new int[count];

        // The high half of the product is even to within 2^-33 for any vocabulary.
        for (int i = 0; i < count; i++) tokens[i] = (int)Math.BigMul(ProbeGenerator.Next(ref seed), (ulong)vocabulary, out _);
        return tokens;
    }
}

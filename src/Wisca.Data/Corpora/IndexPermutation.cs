using System.Numerics;
using Wisca.Numerics;

namespace Wisca.Data.Corpora;

/// <summary>
/// A permutation of 0 to <c>length - 1</c> that needs no memory: a Feistel network over the next even number of bits, walked until it comes
/// back into the range (Black and Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
/// </summary>
internal readonly struct IndexPermutation
{
    private const int Rounds = 8;
    private readonly ulong _length, _key;
    private readonly int _halfBits;

    public IndexPermutation(long length, ulong key)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        _length = (ulong)length;
        _key = key;
        _halfBits = Math.Max(1, (65 - BitOperations.LeadingZeroCount(_length - 1)) / 2);
    }

    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, _length, nameof(index));
            ulong value = (ulong)index;

            // The network permutes fewer than four times as many numbers as there are, so this takes a few steps.
            do value = Encrypt(value);
            while (value >= _length);
            return (long)value;
        }
    }

    private ulong Encrypt(ulong value)
    {
        ulong mask = (1UL << _halfBits) - 1, left = value >> _halfBits, right = value & mask, state = _key;
        for (int round = 0; round < Rounds; round++)
        {
            ulong mixed = ProbeGenerator.Next(ref state) ^ right;
            (left, right) = (right, left ^ (ProbeGenerator.Next(ref mixed) & mask));
        }

        return (left << _halfBits) | right;
    }
}

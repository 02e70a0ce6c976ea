using Wisca.Numerics;

namespace Wisca.Data.Corpora;

/// <summary>
/// Windows of a token file in a random order that depends on nothing but a seed and a position: what a training run saw is told by the
/// position it has come to, a simple number that a checkpoint stores.
/// </summary>
/// <remarks>
/// An epoch lays windows of <c>length</c> inputs side by side, from an offset that each epoch draws anew, so that other tokens begin a
/// window; each window of the epoch comes once, in an order that each epoch draws anew. A window is read with the one id that follows its
/// inputs: ids 0 to
/// <c>length - 1</c> are inputs, ids 1 to <c>length</c> their targets. So every target belongs to one window, and less than two windows of
/// the file, at its ends, are left out of an epoch. The memory needed does not depend on the file.
/// </remarks>
public sealed class WindowSampler
{
    private readonly TokenFile _file;
    private readonly ulong _seed;
    private readonly long _offsets;

    /// <summary>Prepares to sample.</summary>
    /// <param name="file">The tokens; must stay open.</param>
    /// <param name="length">Number of inputs of a window.</param>
    /// <param name="seed">Which of the orders.</param>
    /// <exception cref="WiscaException">The file is shorter than one window.</exception>
    public WindowSampler(TokenFile file, int length, long seed)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        if (file.Count - 1 < length)
        {
            throw new WiscaException(
                $"{file.FullPath} has {file.Count} tokens, fewer than one window of {length} and the token after it",
                "give more text, or take a shorter sequence length");
        }

        _file = file;
        Length = length;
        _seed = (ulong)seed;
        long targets = file.Count - 1;

        // One window fewer than there is room for, where there is room for two: so the offset can be any from 0 to length - 1 at least.
        WindowsPerEpoch = Math.Max(1, (targets / length) - 1);
        _offsets = Math.Min(length, targets - (WindowsPerEpoch * length) + 1);
    }

    /// <summary>Number of inputs of a window.</summary>
    public int Length { get; }

    /// <summary>Number of windows of an epoch.</summary>
    public long WindowsPerEpoch { get; }

    /// <summary>Reads the window at a position of the stream.</summary>
    /// <param name="position">From 0, without end; one more for each window.</param>
    /// <param name="ids">Where its ids go: <see cref="Length"/> and one.</param>
    /// <exception cref="WiscaException">The file is damaged there.</exception>
    public void Read(long position, Span<long> ids)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(ids.Length, Length + 1, nameof(ids));
        _file.Read(Locate(position).Start, ids);
    }

    /// <summary>Where the window at a position is.</summary>
    /// <param name="position">From 0, without end.</param>
    /// <returns>The epoch, from 0, and the index of the window's first id in the file.</returns>
    public (long Epoch, long Start) Locate(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        var (epoch, index) = Math.DivRem(position, WindowsPerEpoch);
        ulong state = _seed;
        state = ProbeGenerator.Next(ref state) ^ (ulong)epoch;
        ulong key = ProbeGenerator.Next(ref state);
        long offset = (long)Math.BigMul(ProbeGenerator.Next(ref state), (ulong)_offsets, out _);
        return (epoch, offset + (new IndexPermutation(WindowsPerEpoch, key)[index] * Length));
    }
}

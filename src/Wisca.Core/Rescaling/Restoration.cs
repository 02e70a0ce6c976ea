namespace Wisca.Rescaling;

/// <summary>Puts elements back whose original bits a ledger kept.</summary>
/// <param name="indices">Their indices in the tensor, in ascending order.</param>
/// <param name="bits">Their bytes.</param>
internal sealed class Restoration(long[] indices, byte[] bits)
{
    private readonly int _size = bits.Length / indices.Length;
    private int _next;

    /// <summary>Overwrites the elements that lie in a block; blocks come in order.</summary>
    /// <param name="block">The scaled bytes.</param>
    /// <param name="first">Index of the block's first element in the tensor.</param>
    public void Apply(Span<byte> block, long first)
    {
        long end = first + (block.Length / _size);
        for (; _next < indices.Length && indices[_next] < end; _next++)
            bits.AsSpan(_next * _size, _size).CopyTo(block[(int)((indices[_next] - first) * _size)..]);
    }
}

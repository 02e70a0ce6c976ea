namespace Wisca.Rescaling;

/// <summary>Puts elements back whose original bits a ledger kept.</summary>
internal sealed class Restoration(LostElements elements, int size)
{
    private readonly long[] _indices = elements.DecodeIndices();
    private readonly byte[] _bits = elements.DecodeBits();
    private int _next;

    /// <summary>Overwrites the elements that lie in a block; blocks come in order.</summary>
    /// <param name="block">The scaled bytes.</param>
    /// <param name="first">Index of the block's first element in the tensor.</param>
    public void Apply(Span<byte> block, long first)
    {
        long end = first + (block.Length / size);
        for (; _next < _indices.Length && _indices[_next] < end; _next++)
            _bits.AsSpan(_next * size, size).CopyTo(block[(int)((_indices[_next] - first) * size)..]);
    }
}

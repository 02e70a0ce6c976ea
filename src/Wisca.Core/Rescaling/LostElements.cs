using System.Runtime.InteropServices;

namespace Wisca.Rescaling;

/// <summary>The original bits of elements of a tensor that a lossy move rounded.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Indices">Base64 of little-endian 64-bit indices into the flattened tensor.</param>
/// <param name="Bits">Base64 of the elements' bytes before the move, one after the other.</param>
public sealed record LostElements(string Tensor, string Indices, string Bits)
{
    internal static LostElements From(string tensor, List<long> indices, List<byte> bits) => new(
        tensor, Convert.ToBase64String(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(indices))), Convert.ToBase64String(CollectionsMarshal.AsSpan(bits)));

    internal long[] DecodeIndices() => MemoryMarshal.Cast<byte, long>(Decode(Indices)).ToArray();

    internal byte[] DecodeBits() => Decode(Bits);

    private byte[] Decode(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException exception)
        {
            throw new WiscaException($"{Ledger.FileName}: the lost elements of '{Tensor}' are not base64", "wisca.json is not as wisca wrote it", exception);
        }
    }
}

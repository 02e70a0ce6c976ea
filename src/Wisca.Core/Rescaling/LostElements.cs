using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Wisca.Rescaling;

/// <summary>The original bits of elements of a tensor that a lossy move rounded.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Indices">Base64 of little-endian 64-bit indices into the flattened tensor.</param>
/// <param name="Bits">Base64 of the elements' bytes before the move, one after the other.</param>
public sealed record LostElements(string Tensor, string Indices, string Bits)
{
    internal static LostElements From(string tensor, List<long> indices, List<byte> bits) =>
        new(
            tensor, Convert.ToBase64String(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(indices))),
            Convert.ToBase64String(CollectionsMarshal.AsSpan(bits)));

    internal long[] DecodeIndices() => MemoryMarshal.Cast<byte, long>(Convert.FromBase64String(Indices)).ToArray();

    internal byte[] DecodeBits() => Convert.FromBase64String(Bits);

    internal string? FindFault()
    {
        if (!Base64.IsValid(Indices, out int length) || length % sizeof(long) != 0 || !Base64.IsValid(Bits))
            return $"the lost elements of '{Tensor}' are not base64";
        long[] indices = DecodeIndices();
        for (int i = 0; i < indices.Length; i++)
        {
            if (indices[i] <= (i == 0 ? -1 : indices[i - 1])) return $"the lost elements of '{Tensor}' are not in ascending order";
        }

        return null;
    }
}

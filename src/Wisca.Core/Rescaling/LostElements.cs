using System.Buffers.Text;
using System.IO.Compression;

namespace Wisca.Rescaling;

/// <summary>The original bits of the elements of a tensor that a move rounded.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Count">Their number.</param>
/// <param name="Packed">
/// Base64url of a Brotli stream: for each element, in ascending order, the distance of its index in the flattened tensor from the one
/// before (from -1 for the first) in groups of seven bits, low ones first, the highest bit of a byte set where more follow; then the
/// elements' bytes before the move, one after the other.
/// </param>
public sealed record LostElements(string Tensor, int Count, string Packed)
{
    internal static LostElements From(string tensor, int count, ReadOnlySpan<byte> gaps, ReadOnlySpan<byte> bits)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            brotli.Write(gaps);
            brotli.Write(bits);
        }

        return new LostElements(tensor, count, Base64Url.EncodeToString(packed.GetBuffer().AsSpan(0, (int)packed.Length)));
    }

    /// <summary>The indices in ascending order, and the elements' bytes.</summary>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="elements">Number of elements of the tensor.</param>
    /// <exception cref="WiscaException">The entry is broken, or of another tensor.</exception>
    internal (long[] Indices, byte[] Bits) Decode(int size, long elements)
    {
        try
        {
            if (Count > elements) throw Broken();
            using var brotli = new BrotliStream(new MemoryStream(Base64Url.DecodeFromChars(Packed)), CompressionMode.Decompress);
            using var stream = new BufferedStream(brotli, 1 << 16);
            long[] indices = new long[Count];
            long last = -1;
            for (int i = 0; i < Count; i++)
            {
                long gap = 0;
                int shift = 0, part;
                do
                {
                    part = stream.ReadByte();
                    if (part < 0 || shift > 56) throw Broken();
                    gap |= (long)(part & 0x7F) << shift;
                    shift += 7;
                }
                while (part >= 0x80);
                indices[i] = last += gap;
                if (gap == 0 || last >= elements || last < 0) throw Broken();
            }

            byte[] bits = new byte[Count * size];
            stream.ReadExactly(bits);
            return stream.ReadByte() < 0 ? (indices, bits) : throw Broken();
        }
        catch (Exception exception) when (exception is FormatException or InvalidDataException or IOException or InvalidOperationException)
        {
            throw Broken();
        }

        WiscaException Broken() => new(
            $"{Ledger.FileName}: the lost elements of '{Tensor}' are broken, or do not fit its shape",
            "the ledger and the weights do not belong together");
    }

    internal string? FindFault() =>
        Count < 1 || !Base64Url.IsValid(Packed) ? $"the lost elements of '{Tensor}' are not base64url of at least one" : null;
}

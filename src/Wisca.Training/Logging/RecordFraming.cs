using System.Buffers.Binary;
using System.Numerics;

namespace Wisca.Training.Logging;

/// <summary>The framing of TFRecord files: length, masked checksum of the length, data, masked checksum of the data.</summary>
internal static class RecordFraming
{
    /// <summary>CRC-32C (Castagnoli), as RFC 3720 has it.</summary>
    public static uint Checksum(ReadOnlySpan<byte> data)
    {
        uint checksum = uint.MaxValue;
        foreach (byte b in data) checksum = BitOperations.Crc32C(checksum, b);
        return ~checksum;
    }

    /// <summary>A record with its frame.</summary>
    public static byte[] Frame(ReadOnlySpan<byte> data)
    {
        byte[] framed = new byte[data.Length + 16];
        BinaryPrimitives.WriteUInt64LittleEndian(framed, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(framed.AsSpan(8), Masked(framed.AsSpan(0, 8)));
        data.CopyTo(framed.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(framed.AsSpan(12 + data.Length), Masked(data));
        return framed;
    }

    /// <summary>The format masks checksums, since the checksum of data that contains its own checksum is a constant.</summary>
    private static uint Masked(ReadOnlySpan<byte> data) => BitOperations.RotateRight(Checksum(data), 15) + 0xa282ead8;
}

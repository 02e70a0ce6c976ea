using System.Text;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>Writes SentencePiece models by hand.</summary>
internal static class ProtoFile
{
    /// <summary>A model with the pieces u (unknown), ▁ and a, and whatever replaces a part of it.</summary>
    public static byte[] Model(byte[]? pieces = null, byte[]? trainer = null, byte[]? normalizer = null) =>
    [
        .. pieces ?? [.. Piece("u", 2), .. Piece("\u2581", 1), .. Piece("a", 1)],
        .. Bytes(2, trainer ?? Number(3, 2)),
        .. Bytes(3, normalizer ?? []),
    ];

    public static byte[] Piece(string text, int type) => Bytes(1, [.. Bytes(1, Encoding.UTF8.GetBytes(text)), .. Number(3, type)]);

    public static byte[] Number(int field, int value) => [.. Varint(field << 3), .. Varint(value)];

    public static byte[] Bytes(int field, byte[] content) => [.. Varint((field << 3) | 2), .. Varint(content.Length), .. content];

    private static byte[] Varint(int value) => value < 0x80 ? [(byte)value] : [(byte)(value | 0x80), .. Varint(value >> 7)];
}

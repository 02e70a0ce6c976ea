namespace Wisca.Files;

/// <summary>Knows by its first bytes what a file is that was taken for text, and what to do with it.</summary>
public static class ForeignContent
{
    /// <summary>So many bytes of a file's beginning are enough to know it.</summary>
    public const int HeadLength = 262;

    private static readonly (int Offset, byte[] Magic, string What, string Hint)[] Known =
    [
        (0, [0x1F, 0x8B], "is compressed with gzip", Decompress("gunzip")),
        (0, [0x28, 0xB5, 0x2F, 0xFD], "is compressed with zstd", Decompress("unzstd")),
        (0, [.. "BZh"u8], "is compressed with bzip2", Decompress("bunzip2")),
        (0, [0xFD, .. "7zXZ"u8, 0], "is compressed with xz", Decompress("unxz")),
        (0, [0x04, 0x22, 0x4D, 0x18], "is compressed with lz4", Decompress("unlz4")),
        (0, [0xFF, 0x06, 0x00, 0x00, .. "sNaPpY"u8], "is compressed with snappy", "decompress it first"),
        (0, [0x1F, 0x9D], "is compressed with compress", Decompress("uncompress")),
        (0, [.. "PK"u8, 3, 4], "is a zip archive", Unpack),
        (0, [.. "PK"u8, 5, 6], "is a zip archive", Unpack),
        (0, [.. "7z"u8, 0xBC, 0xAF, 0x27, 0x1C], "is a 7z archive", Unpack),
        (0, [.. "Rar!"u8, 0x1A, 0x07], "is a rar archive", Unpack),
        (257, [.. "ustar"u8], "is a tar archive", Unpack),
        (0, [.. "ARROW1"u8, 0, 0], "is an Arrow file", Arrow),
        (0, [0xFF, 0xFF, 0xFF, 0xFF], "is an Arrow stream", Arrow),
        (0, [.. "PAR1"u8, 0x15], "is a Parquet file", "let its name end with .parquet"),
        (0, [0xFF, 0xFE, 0, 0], "is in UTF-32", Encode("UTF-32")),
        (0, [0, 0, 0xFE, 0xFF], "is in UTF-32", Encode("UTF-32")),
        (0, [0xFF, 0xFE], "is in UTF-16", Encode("UTF-16")),
        (0, [0xFE, 0xFF], "is in UTF-16", Encode("UTF-16")),
    ];

    private const string Unpack = "unpack it first, and name the files in it",
        Arrow = "write it as Parquet or JSON lines, as to_parquet of the library datasets does";

    // What follows the name of the format in a file of bzip2: a block, or the end of an empty one. A text may begin with the name.
    private static ReadOnlySpan<byte> BlockOfBzip2 => [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];

    private static ReadOnlySpan<byte> EndOfBzip2 => [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];

    /// <summary>Names what a file is; null where it may be text.</summary>
    /// <param name="head">Its first bytes, <see cref="HeadLength"/> of them where it has as many.</param>
    /// <returns>What it is, to follow its path ("is compressed with bzip2"), and what to do.</returns>
    public static (string What, string Hint)? Of(ReadOnlySpan<byte> head)
    {
        foreach (var (offset, magic, what, hint) in Known)
        {
            if (head.Length < offset + magic.Length || !head[offset..].StartsWith(magic)) continue;
            bool text = magic[0] == 'B' && !(head.Length >= 10 && (head[4..].StartsWith(BlockOfBzip2) || head[4..].StartsWith(EndOfBzip2)));
            if (!text) return (what, hint);
        }

        return null;
    }

    private static string Decompress(string command) => $"decompress it first, for example with {command}";

    private static string Encode(string encoding) => $"save it as UTF-8, for example with iconv -f {encoding} -t UTF-8";
}

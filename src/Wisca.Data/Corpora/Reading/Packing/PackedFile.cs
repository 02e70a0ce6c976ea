using Wisca.Files;

namespace Wisca.Data.Corpora.Reading.Packing;

/// <summary>
/// A file, open to be read front to back: decompressed where its first bytes say that it is compressed with gzip or zstd, whatever its
/// name.
/// </summary>
internal sealed class PackedFile : IDisposable
{
    private readonly FileStream _stored;

    private PackedFile(FileStream stored, string? packing)
    {
        (_stored, Packing) = (stored, packing);
        Content = packing switch
        {
            "gzip" => new GzipReadStream(stored),
            "zstd" => new ZstdReadStream(stored),
            _ => stored,
        };
    }

    /// <summary>What it is compressed with, <c>gzip</c> or <c>zstd</c>; null where it is not.</summary>
    public string? Packing { get; }

    /// <summary>What is in it. Reading throws <see cref="InvalidDataException"/> where compressed data is damaged.</summary>
    public Stream Content { get; }

    /// <summary>Bytes of the file that were read so far, as stored.</summary>
    public long Position => _stored.Position;

    /// <summary>Opens a file; exceptions are those of the file system.</summary>
    /// <param name="path">The file.</param>
    public static PackedFile Open(string path)
    {
        PlainFile.Check(path);
        var stored = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        try
        {
            Span<byte> head = stackalloc byte[4];
            int length = stored.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            stored.Position = 0;
            return new PackedFile(stored, PackingOf(head[..length]) ?? PackingOf(Path.GetExtension(path)));
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }

    /// <summary>The end of the name of a compressed file; empty where it is not called one.</summary>
    public static string ExtensionOf(string path) => PackingOf(Path.GetExtension(path)) is null ? "" : Path.GetExtension(path);

    public void Dispose()
    {
        Content.Dispose();
        _stored.Dispose();
    }

    private static string? PackingOf(ReadOnlySpan<byte> head) => head switch
    {
        [0x1F, 0x8B, ..] => "gzip",
        [0x28, 0xB5, 0x2F, 0xFD] => "zstd",

        // A frame that decoders skip.
        [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18] => "zstd",
        _ => null,
    };

    /// <summary>What a name promises: bytes that do not keep it are damaged, and not text.</summary>
    private static string? PackingOf(string extension) => extension.ToLowerInvariant() switch
    {
        ".gz" => "gzip",
        ".zst" or ".zstd" => "zstd",
        _ => null,
    };
}

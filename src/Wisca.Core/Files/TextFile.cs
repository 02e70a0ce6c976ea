using System.Buffers;
using System.Text;

namespace Wisca.Files;

/// <summary>
/// Reads the text that users give: UTF-8 with or without a byte order mark, and nothing else. What is not is named with file and line,
/// never replaced: a replacement character would end up in names, prompts and paths.
/// </summary>
public static class TextFile
{
    private const string Hint = "save it as UTF-8, for example with iconv -t UTF-8";

    private static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a whole file as text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hint">What to do where it cannot be read at all.</param>
    /// <exception cref="WiscaException">It cannot be read, or is not UTF-8.</exception>
    public static string Read(string path, string hint) => Encoding.UTF8.GetString(ReadBytes(path, hint).Span);

    /// <summary>Reads a whole file as UTF-8 without its byte order mark.</summary>
    /// <inheritdoc cref="Read"/>
    public static ReadOnlyMemory<byte> ReadBytes(string path, string hint)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            // A shell's <(command) has somebody at its other end; a pipe in a folder may have nobody.
            if (!path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/proc/", StringComparison.Ordinal))
                PlainFile.Check(path);
            byte[] bytes = File.ReadAllBytes(path);
            Check(bytes, path);
            return WithoutMark(bytes);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", hint, exception);
        }
    }

    /// <summary>The bytes behind a byte order mark, if there is one.</summary>
    /// <param name="utf8">The beginning of a file.</param>
    public static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> utf8) =>
        utf8.Span.StartsWith(ByteOrderMark) ? utf8[ByteOrderMark.Length..] : utf8;

    /// <summary>Makes sure that bytes are UTF-8.</summary>
    /// <param name="bytes">A file, or a part of one that begins with a line.</param>
    /// <param name="name">What messages call the file.</param>
    /// <param name="firstLine">The number of the line that the bytes begin with.</param>
    /// <exception cref="WiscaException">They are not: the message names the line, or says what the file is.</exception>
    public static void Check(ReadOnlySpan<byte> bytes, string name, long firstLine = 1)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes)) return;
        if (firstLine == 1 && ForeignContent.Of(bytes) is var (what, hint))
            throw new WiscaException($"{name} {what}, expected text in UTF-8", hint);
        int valid = 0;
        while (Rune.DecodeFromUtf8(bytes[valid..], out _, out int length) == OperationStatus.Done) valid += length;
        long line = firstLine + bytes[..valid].Count((byte)'\n');
        throw new WiscaException($"{name}:{line}: byte 0x{bytes[valid]:X2} is not valid UTF-8", Hint);
    }
}

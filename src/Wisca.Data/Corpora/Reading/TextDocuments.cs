using System.Buffers;
using System.Text;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The documents of a plain text file.</summary>
internal static class TextDocuments
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IEnumerable<(string Text, long Position)> Read(CorpusFile file, string? separator, bool keepsFinalBreak)
    {
        byte[]? mark = separator is null ? null : Encoding.UTF8.GetBytes(separator);
        using var reader = LineReader.Open(file);
        var document = new ArrayBufferWriter<byte>();
        bool more = true;
        while (more)
        {
            long firstLine = reader.Line + 1;
            document.ResetWrittenCount();
            more = ReadDocument(reader, mark, document, file);
            if (document.WrittenCount > 0)
                yield return (
                    Decode(keepsFinalBreak ? document.WrittenSpan : LineReader.WithoutBreak(document.WrittenSpan), file, firstLine),
                    reader.Position);
        }
    }

    /// <summary>Collects the lines up to the next separator.</summary>
    /// <returns>False at the end of the file.</returns>
    private static bool ReadDocument(LineReader reader, byte[]? separator, ArrayBufferWriter<byte> document, CorpusFile file)
    {
        while (reader.TryRead(out var line))
        {
            if (separator is not null && line.StartsWith(separator) && LineReader.WithoutBreak(line).Length == separator.Length)
                return true;
            if ((long)document.WrittenCount + line.Length > LineReader.MostBytes)
                throw new WiscaException(
                    $"{file.Path}:{reader.Line}: the document is longer than {LineReader.MostBytes / 1_000_000} MB",
                    "put lines with the separator between documents");
            document.Write(line);
        }

        return false;
    }

    private static string Decode(ReadOnlySpan<byte> document, CorpusFile file, long firstLine)
    {
        try
        {
            return Strict.GetString(document);
        }
        catch (DecoderFallbackException exception)
        {
            int valid = ValidPrefix(document);
            long line = firstLine + document[..valid].Count((byte)'\n');
            throw new WiscaException(
                $"{file.Path}:{line}: byte 0x{document[valid]:X2} is not valid UTF-8", "convert the file to UTF-8, for example with iconv",
                exception);
        }
    }

    private static int ValidPrefix(ReadOnlySpan<byte> bytes)
    {
        int valid = 0;
        while (Rune.DecodeFromUtf8(bytes[valid..], out _, out int length) == OperationStatus.Done) valid += length;
        return valid;
    }
}

using System.Buffers;
using System.Text;
using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The documents of a plain text file.</summary>
internal static class TextDocuments
{
    public static IEnumerable<(string Text, long Position)> Read(CorpusFile file, string? separator, bool keepsFinalBreak)
    {
        byte[]? mark = separator is null ? null : Encoding.UTF8.GetBytes(separator);
        using var reader = LineReader.Open(file.Path, file.FullPath);
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
        TextFile.Check(document, file.Path, firstLine);
        return Encoding.UTF8.GetString(document);
    }
}

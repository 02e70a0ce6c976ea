using System.Text.Json;
using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The documents of a file of JSON objects, one a line; empty lines count as none.</summary>
internal static class JsonLinesDocuments
{
    public static IEnumerable<(string Text, long Position)> Read(CorpusFile file, string field)
    {
        using var reader = LineReader.Open(file.Path, file.FullPath);
        while (TryReadText(reader, file, field, out string? text))
        {
            if (text is not null) yield return (text, reader.Position);
        }
    }

    private static bool TryReadText(LineReader reader, CorpusFile file, string field, out string? text)
    {
        text = null;
        if (!reader.TryRead(out var line)) return false;
        line = LineReader.WithoutBreak(line);
        if (line.ContainsAnyExcept(" \t"u8)) text = ReadText(line, file.Path, reader.Line, field);
        return true;
    }

    private static string ReadText(ReadOnlySpan<byte> line, string path, long number, string field)
    {
        TextFile.Check(line, path, number);
        string where = $"{path}:{number}";
        try
        {
            string? text = null;
            var json = new Utf8JsonReader(line);
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject)
                throw new WiscaException(
                    $"{where}: expected a JSON object",
                    "the file must hold one object a line, such as {\"text\": \"...\"}");
            while (json.Read())
            {
                if (json.CurrentDepth != 1 || json.TokenType != JsonTokenType.PropertyName || !json.ValueTextEquals(field)) continue;
                if (text is not null) throw new WiscaException($"{where}: field {Quote(field)} comes twice", "mend the line");
                json.Read();
                if (json.TokenType != JsonTokenType.String)
                    throw new WiscaException(
                        $"{where}: field {Quote(field)} is no string",
                        "every line needs a text; mend or drop the line");
                text = json.GetString();
            }

            return text
                ?? throw new WiscaException(
                    $"{where}: the object has no field {Quote(field)}",
                    "name the field that holds the text (--field)");
        }
        catch (JsonException exception)
        {
            throw new WiscaException(
                $"{where}: {JsonText.Reason(exception)} (byte {exception.BytePositionInLine + 1} of the line)",
                "the file must hold one JSON object a line", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new WiscaException($"{where}: field {Quote(field)} escapes half a surrogate pair", "mend or drop the line", exception);
        }
    }

    private static string Quote(string name) => $"'{name}'";
}

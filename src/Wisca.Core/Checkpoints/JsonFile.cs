using System.Text.Json;
using System.Text.Unicode;
using Wisca.Files;

namespace Wisca.Checkpoints;

/// <summary>Reads a whole JSON file strictly; every failure names the file.</summary>
public static class JsonFile
{
    /// <summary>Reads a file that holds one object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hint">What the user could do where it is none.</param>
    /// <exception cref="WiscaException">The file cannot be read, or is not a JSON object.</exception>
    public static JsonDocument ReadObject(string path, string hint)
    {
        try
        {
            return ParseObject(File.ReadAllBytes(path), Path.GetFileName(path), hint);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", hint, exception);
        }
    }

    /// <summary>Parses a JSON object with valid strings and no key twice.</summary>
    public static JsonDocument ParseObject(byte[] json, string name, string hint)
    {
        try
        {
            if (!AllStringsAreValid(json)) throw new WiscaException($"{name} holds a string that is not valid Unicode", hint);
            var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new WiscaException($"{name} is not a JSON object", hint);
        }
        catch (JsonException exception)
        {
            string where = exception.LineNumber is { } line ? $" (line {line + 1}, byte {exception.BytePositionInLine + 1})" : "";
            string why = exception.Message.Contains("uplicate", StringComparison.Ordinal) ? "names a key twice" : "is not valid JSON";
            throw new WiscaException($"{name} {why}{where}", hint, exception);
        }
    }

    /// <summary>False where a string is malformed UTF-8 or escapes half a surrogate pair:
    /// JsonElement would throw when it is read.</summary>
    private static bool AllStringsAreValid(byte[] json)
    {
        if (!Utf8.IsValid(json)) return false;
        var reader = new Utf8JsonReader(json);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && reader.ValueIsEscaped) reader.GetString();
            }
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        return true;
    }
}

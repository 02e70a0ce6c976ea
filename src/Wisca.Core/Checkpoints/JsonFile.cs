using System.Text.Json;
using System.Text.Unicode;
using Wisca.Files;

namespace Wisca.Checkpoints;

/// <summary>Reads a whole JSON file strictly; every failure names the file.</summary>
public static class JsonFile
{
    /// <summary>Reads a JSON object with valid strings and no key twice.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hint">What to do where it is broken.</param>
    /// <exception cref="WiscaException">The file cannot be read, or is no such object.</exception>
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
            string what = exception.Message.Contains("uplicate", StringComparison.Ordinal) ? "names a key twice" : "is not valid JSON";
            string why = Mistake(exception) is { } mistake ? $": {mistake}" : "";
            throw new WiscaException($"{name} {what}{Place(exception)}{why}", hint, exception);
        }
    }

    /// <summary>What is wrong in words of JSON, and where: the reader's own message speaks of its options.</summary>
    internal static string Reason(JsonException exception) =>
        Mistake(exception) is { } mistake ? mistake + Place(exception) : exception.Message.Split(['\n', '\r'])[0];

    private static string Place(JsonException exception) =>
        exception.LineNumber is { } line ? $" (line {line + 1}, column {exception.BytePositionInLine + 1})" : "";

    /// <summary>The mistakes that people make; null for any other.</summary>
    private static string? Mistake(JsonException exception)
    {
        string message = exception.Message;
        if (message.Contains("trailing comma", StringComparison.Ordinal)) return "a comma with nothing behind it";
        if (message.Contains("after a single JSON value", StringComparison.Ordinal)) return "more behind the end of the object";
        int quote = message.IndexOf("' is ", StringComparison.Ordinal);
        if (message.StartsWith("'0xEF' is ", StringComparison.Ordinal)) return "a byte order mark; save it without";
        return (quote < 2 || message[quote - 2] != '\'' ? '\0' : message[quote - 1]) switch
        {
            '/' or '#' => "a comment, which JSON does not have",
            '\'' => "single quotes, where JSON has double ones",
            'N' or 'I' => "NaN, Infinity or None, which JSON does not have",
            'T' or 'F' => "True or False, which JSON writes true and false",
            _ => null,
        };
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

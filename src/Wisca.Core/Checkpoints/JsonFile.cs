using System.Text.Json;
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
            PlainFile.Check(path);
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
            TextFile.Check(json, name);
            if (JsonText.HalfSurrogateLine(json) is { } half)
                throw new WiscaException($"{name} holds a string that is not valid Unicode (line {half})", hint);
            var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new WiscaException($"{name} is not a JSON object", hint);
        }
        catch (JsonException exception)
        {
            string what = exception.Message.Contains("uplicate", StringComparison.Ordinal) ? "names a key twice" : "is not valid JSON";
            string why = JsonText.Mistake(exception) is { } mistake ? $": {mistake}" : "";
            throw new WiscaException($"{name} {what}{Place(exception)}{why}", hint, exception);
        }
    }

    /// <summary>What is wrong in words of JSON, and where: the reader's own message speaks of its options.</summary>
    internal static string Reason(JsonException exception) =>
        JsonText.Mistake(exception) is { } mistake ? mistake + Place(exception) : exception.Message.Split(['\n', '\r'])[0];

    private static string Place(JsonException exception) =>
        exception.LineNumber is { } line ? $" (line {line + 1}, column {exception.BytePositionInLine + 1})" : "";
}

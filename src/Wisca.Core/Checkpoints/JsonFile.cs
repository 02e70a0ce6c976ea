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
            string where = exception.LineNumber is { } line ? $" (line {line + 1}, byte {exception.BytePositionInLine + 1})" : "";
            string why = exception.Message.Contains("uplicate", StringComparison.Ordinal) ? "names a key twice" : "is not valid JSON";

            // A loader of models in other languages does not read it either.
            if (json.AsSpan().StartsWith("\uFEFF"u8)) where += ": it begins with a byte order mark";
            throw new WiscaException($"{name} {why}{where}", hint, exception);
        }
    }
}

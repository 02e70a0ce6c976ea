using System.Text.Json;

namespace Wisca.Checkpoints;

/// <summary>Reads a whole JSON file strictly; every failure names the file.</summary>
internal static class JsonFile
{
    private const long MaxLength = 1L << 30;

    public static JsonDocument ReadObject(string path, string hint)
    {
        string name = Path.GetFileName(path);
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxLength }) throw new WiscaException($"{name} is larger than 1 GB", hint);
            var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false });
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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string why = exception is FileNotFoundException or DirectoryNotFoundException ? "does not exist" : "cannot be read";
            throw new WiscaException($"{path} {why}", hint, exception);
        }
    }
}

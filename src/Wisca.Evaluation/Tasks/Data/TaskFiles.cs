using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Files;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>Finds and reads data files: JSONL, or a JSON array.</summary>
internal static class TaskFiles
{
    /// <summary>Folders below the data folder in which a file's name is looked for.</summary>
    public static readonly IReadOnlyList<string> Places = ["", "raw", "eval", "eval/raw", "data"];

    private const string Hint = "the file must hold one JSON object a line, or a JSON array of objects";

    /// <summary>The first of several files that exists; null where none does.</summary>
    public static string? Find(string folder, IEnumerable<string> names) =>
        names.SelectMany(name => Places.Select(place => Path.Combine(folder, place, name))).FirstOrDefault(File.Exists);

    /// <summary>Reads a file's documents, with the labels of a second file where there is one.</summary>
    /// <exception cref="WiscaException">A file cannot be read or is malformed.</exception>
    public static IReadOnlyList<TaskDocument> Read(string path, string? labels)
    {
        string text = ReadText(path);
        var documents = text.AsSpan().TrimStart() is ['[', ..] ? ReadArray(path, text) : ReadLines(path, text);
        if (documents.Count == 0) throw new WiscaException($"{path} is empty", Hint);
        if (labels is null) return documents;
        string labelPath = Path.Combine(
            Path.GetDirectoryName(path) ?? "",
            labels.Replace("{name}", Path.GetFileNameWithoutExtension(path), StringComparison.Ordinal));
        string[] lines = ReadText(labelPath).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (lines.Length != documents.Count)
            throw new WiscaException(
                $"{labelPath} has {lines.Length} labels, expected {documents.Count}, one for each document of {path}",
                "get both files from the same place");
        for (int i = 0; i < lines.Length; i++) documents[i].Fields["label"] = lines[i];
        return documents;
    }

    private static string ReadText(string path) => TextFile.Read(path, "check the path and its permissions");

    private static List<TaskDocument> ReadLines(string path, string text)
    {
        var documents = new List<TaskDocument>();
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line)) documents.Add(ToDocument(Parse(line, path, number), $"{path}:{number}"));
        }

        return documents;
    }

    private static List<TaskDocument> ReadArray(string path, string text) =>
        [
            .. ((JsonArray)Parse(text, path, 1)!).Select(
                (item, index) => ToDocument(item, string.Create(CultureInfo.InvariantCulture, $"{path}: item {index + 1}"))),
        ];

    private static TaskDocument ToDocument(JsonNode? node, string place) =>
        node is JsonObject fields
            ? new TaskDocument(place, (JsonObject)fields.DeepClone())
            : throw new WiscaException($"{place}: no JSON object", Hint);

    private static JsonNode? Parse(string json, string path, int line)
    {
        using var document = JsonText.Parse(System.Text.Encoding.UTF8.GetBytes(json), path, Hint, line);
        return Copy(document.RootElement);
    }

    /// <summary>A copy that outlives the document.</summary>
    private static JsonNode? Copy(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new JsonObject(
            element.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, Copy(property.Value)))),
        JsonValueKind.Array => new JsonArray([.. element.EnumerateArray().Select(Copy)]),
        JsonValueKind.String => JsonValue.Create(element.GetString()),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(element.Clone()),
    };
}

using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Wisca.Kills;

/// <summary>What is in a file or a folder, without what a clock measured.</summary>
internal static class Contents
{
    private static readonly string[] Measured =
        ["seconds", "finished", "metrics_position", "pending", "date", "total_evaluation_time_seconds", "start_time", "end_time"];

    /// <summary>A line a file; null where there is nothing.</summary>
    public static string? Of(string path)
    {
        if (File.Exists(path)) return Digest(path);
        if (!Directory.Exists(path)) return null;
        var files = Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 });
        return string.Join(
            '\n',
            files.Order(StringComparer.Ordinal).Select(file => $"{Path.GetRelativePath(path, file)} {Digest(file)}"));
    }

    private static string Digest(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        if (Path.GetExtension(file) == ".json" && JsonNode.Parse(bytes) is { } json)
        {
            Forget(json);
            return json.ToJsonString();
        }

        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    private static void Forget(JsonNode json)
    {
        if (json is JsonArray items)
        {
            foreach (var item in items.OfType<JsonNode>()) Forget(item);
        }
        else if (json is JsonObject entries)
        {
            foreach (string name in Measured) entries.Remove(name);
            foreach (var value in entries.Select(entry => entry.Value).OfType<JsonNode>().ToList()) Forget(value);
        }
    }
}

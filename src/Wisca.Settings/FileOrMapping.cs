using System.Text.Json.Nodes;

namespace Wisca.Settings;

/// <summary>A setting that names a JSON file, or holds what the file would.</summary>
public sealed class FileOrMapping
{
    /// <summary>A file.</summary>
    /// <param name="file">Path of the JSON file.</param>
    public FileOrMapping(string file) => File = file;

    /// <summary>The content itself.</summary>
    /// <param name="mapping">What the file would hold.</param>
    public FileOrMapping(JsonObject mapping) => Mapping = mapping;

    /// <summary>Path of the JSON file; null where the content was given.</summary>
    public string? File { get; }

    /// <summary>The content; null where a file was named.</summary>
    public JsonObject? Mapping { get; }
}

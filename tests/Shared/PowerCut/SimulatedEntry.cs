namespace Wisca.Tests.PowerCut;

/// <summary>A file or folder of the simulated disk: what it holds now, and what would be left of it.</summary>
internal sealed class SimulatedEntry(bool isFolder)
{
    /// <summary>True for a folder.</summary>
    public bool IsFolder => isFolder;

    /// <summary>A digest of a file's content as it is.</summary>
    public string Content { get; set; } = "";

    /// <summary>A digest of what was flushed of it; null where nothing was.</summary>
    public string? Flushed { get; set; }

    /// <summary>The names in a folder as they are.</summary>
    public Dictionary<string, SimulatedEntry> Names { get; } = new(StringComparer.Ordinal);

    /// <summary>The names in it that a power cut leaves.</summary>
    public Dictionary<string, SimulatedEntry> FlushedNames { get; } = new(StringComparer.Ordinal);
}

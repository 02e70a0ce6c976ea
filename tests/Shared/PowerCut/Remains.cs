namespace Wisca.Tests.PowerCut;

/// <summary>What a power cut leaves: files by their paths with a digest of their content, folders with a slash behind them.</summary>
/// <param name="Files">Paths below the watched folder.</param>
/// <param name="IsAlive">True where nothing is lost: this is also what a reader sees, or what is left where the process is killed.</param>
internal sealed record Remains(SortedDictionary<string, string> Files, bool IsAlive)
{
    /// <summary>What is at a place, as text: its content, or everything below it; null where nothing is.</summary>
    public string? At(string place)
    {
        if (Files.TryGetValue(place, out string? content)) return content;
        if (!Files.ContainsKey(place + "/")) return null;
        var below = Files.Where(file => file.Key.StartsWith(place + "/", StringComparison.Ordinal));
        return string.Join('\n', below.Select(file => $"{file.Key} {file.Value}"));
    }
}

namespace Wisca.Settings;

/// <summary>Keys with their values.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Entries">The keys in the order of the file.</param>
public sealed record MappingNode(string Place, List<MappingEntry> Entries) : SettingsNode(Place)
{
    /// <summary>The entry of a key; null where it is not given.</summary>
    /// <param name="key">The key.</param>
    public MappingEntry? Find(string key) => Entries.Find(entry => entry.Key == key);
}

namespace Wisca.Settings;

/// <summary>A value of a configuration file that knows where it stands.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
internal abstract record SettingsNode(string Place);

/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Text">The text.</param>
/// <param name="Plain">True where it stands without quotes, so that it may be a number, true, false or none.</param>
internal sealed record ScalarNode(string Place, string Text, bool Plain) : SettingsNode(Place)
{
    public bool IsEmpty => Plain && Text.Length == 0;

    public bool IsNone => Plain && Text is ("none" or "null" or "~");
}

internal sealed record ListNode(string Place, List<SettingsNode> Items) : SettingsNode(Place);

internal sealed record MappingNode(string Place, List<MappingEntry> Entries) : SettingsNode(Place)
{
    public MappingEntry? Find(string key) => Entries.Find(entry => entry.Key == key);
}

internal sealed record MappingEntry(string Place, string Key, SettingsNode Value);

namespace Wisca.Settings;

/// <summary>A key and its value.</summary>
/// <param name="Place">File and line, or the option that gave it.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
public sealed record MappingEntry(string Place, string Key, SettingsNode Value)
{
    /// <summary>Which of the layers in one tree gave it: 0 for the file, 1 for what single settings laid over it.</summary>
    internal int Layer { get; init; }

    /// <summary>The same, and all below it, as given by single settings.</summary>
    internal MappingEntry Laid() => this with { Layer = 1, Value = Laid(Value) };

    private static SettingsNode Laid(SettingsNode node) => node switch
    {
        MappingNode mapping => mapping with { Entries = [.. mapping.Entries.Select(entry => entry.Laid())] },
        ListNode list => list with { Items = [.. list.Items.Select(Laid)] },
        _ => node,
    };
}

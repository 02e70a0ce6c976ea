namespace Wisca.Settings;

/// <summary>Settings of a configuration that are laid over another one, or names with such settings:
/// a mapping as it stands in the file.</summary>
public sealed class SettingsTree
{
    internal SettingsTree(MappingNode root) => Root = root;

    /// <summary>No settings.</summary>
    public static SettingsTree Empty { get; } = new(new MappingNode("defaults", []));

    /// <summary>True where nothing is set.</summary>
    public bool IsEmpty => Root.Entries.Count == 0;

    /// <summary>The keys at the top, in the order of the file.</summary>
    public IEnumerable<string> Keys => Root.Entries.Select(entry => entry.Key);

    /// <summary>The mapping, with the places where its entries stand.</summary>
    public MappingNode Root { get; }

    /// <summary>The settings as YAML on one line.</summary>
    public override string ToString() => SettingsWriter.Tree(Root);
}

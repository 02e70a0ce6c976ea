using System.Diagnostics.CodeAnalysis;

namespace Wisca.Architectures;

/// <summary>How the names of a model's layers begin.</summary>
/// <param name="Stem">What stands in front of a layer's index.</param>
/// <param name="Separator">What stands behind it.</param>
internal sealed record LayerNames(string Stem, string Separator)
{
    private const string Index = "${layer}";

    /// <summary>The names that a table gives, behind what the checkpoint puts in front of them.</summary>
    public static LayerNames Of(ArchitectureTable table, string prefix)
    {
        int at = table.Layer.IndexOf(Index, StringComparison.Ordinal);
        return new LayerNames(prefix + table.Layer[..at], table.Layer[(at + Index.Length)..]);
    }

    /// <summary>What every name of a layer begins with.</summary>
    public string this[int layer] => $"{Stem}{layer}{Separator}";

    /// <summary>Finds the layer that a tensor's name belongs to, and its name relative to it.</summary>
    public bool TryParse(string name, out int layer, [NotNullWhen(true)] out string? relative)
    {
        (layer, relative) = (-1, null);
        if (!name.StartsWith(Stem, StringComparison.Ordinal)) return false;
        int end = name.IndexOf(Separator, Stem.Length, StringComparison.Ordinal);
        if (end < 0 || !int.TryParse(name.AsSpan(Stem.Length, end - Stem.Length), out layer) || layer < 0) return false;
        relative = name[(end + Separator.Length)..];
        return true;
    }
}

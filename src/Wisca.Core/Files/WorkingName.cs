namespace Wisca.Files;

/// <summary>
/// The names beside a place under which something is written until it is whole: <c>.NAME.ID.wisca-partial</c>. By them the next writer
/// of the same place knows what killed writers left.
/// </summary>
internal static class WorkingName
{
    private const string Suffix = ".wisca-partial";

    /// <summary>A name that nobody has yet.</summary>
    /// <param name="place">The full path of what is written.</param>
    /// <param name="disk">Gives the id.</param>
    public static string New(string place, Disk disk) =>
        Path.Combine(FolderOf(place), $".{Path.GetFileName(place)}.{disk.NewId()}{Suffix}");

    /// <summary>The folder that a place is in.</summary>
    public static string FolderOf(string place) => Path.GetDirectoryName(place) ?? place;

    /// <summary>What writers of a place have beside it, with each one's place: files, and folders.</summary>
    /// <param name="parent">The folder to look in.</param>
    /// <param name="place">The place; null for every place in the folder.</param>
    public static IEnumerable<(FileSystemInfo Working, string Place)> Find(string parent, string? place)
    {
        const int idLength = 32;
        foreach (var entry in new DirectoryInfo(parent).EnumerateFileSystemInfos(".*" + Suffix))
        {
            var stem = entry.Name.AsSpan(1, entry.Name.Length - 1 - Suffix.Length);
            int end = stem.Length - idLength - 1;
            if (end < 1 || stem[end] != '.' || !Guid.TryParseExact(stem[(end + 1)..], "N", out _)) continue;
            string its = Path.Combine(parent, stem[..end].ToString());
            if (place is null || its == place) yield return (entry, its);
        }
    }
}

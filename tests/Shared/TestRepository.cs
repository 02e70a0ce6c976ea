namespace Wisca.Tests;

/// <summary>Files of the repository itself: documents that are held to the code, and the launcher.</summary>
internal static class TestRepository
{
    public static string ReadText(params string[] parts) => File.ReadAllText(PathOf(parts));

    public static string PathOf(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Wisca.slnx"))) folder = folder.Parent.ShouldNotBeNull();
        return Path.Combine([folder.FullName, .. parts]);
    }
}

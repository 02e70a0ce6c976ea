namespace Wisca.Tests;

/// <summary>The documents of the repository, for tests that hold them to the code.</summary>
internal static class TestRepository
{
    public static string ReadText(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Wisca.slnx"))) folder = folder.Parent.ShouldNotBeNull();
        return File.ReadAllText(Path.Combine([folder.FullName, .. parts]));
    }
}

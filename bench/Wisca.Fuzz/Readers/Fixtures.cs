namespace Wisca.Fuzz.Readers;

/// <summary>Small valid files of the tests, to start from.</summary>
internal static class Fixtures
{
    /// <summary>The repository's folder.</summary>
    public static string Root { get; } = FindRoot();

    public static string DataTests(string name) => Path.Combine(Root, "tests", "Wisca.Data.Tests", "Fixtures", name);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Wisca.slnx")))
            folder = folder.Parent ?? throw new WiscaException("Wisca.slnx is in no folder above", "run it from the repository");
        return folder.FullName;
    }
}

namespace Wisca.Tests;

/// <summary>Finds the optional data folder; tests that need it are skipped, with the reason, where it is not there.</summary>
internal static class TestData
{
    public const string Variable = "WISCA_DATA";

    /// <summary>The path of a file or folder below WISCA_DATA; skips the running test where the variable is not set.</summary>
    public static string Require(params string[] parts)
    {
        string? root = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(root), $"{Variable} is not set: it names the folder of real models and reference logits");
        string path = Path.Combine([root!, .. parts]);
        Assert.True(Path.Exists(path), $"{path} does not exist although {Variable} is set");
        return path;
    }
}

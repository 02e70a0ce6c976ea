using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>The documents of the repository that people write.</summary>
internal static class WrittenDocuments
{
    // Made of data or by tools; or not part of the repository.
    private static readonly string[] Left = [".git", "artifacts", "runs", "results", "Golden", "node_modules"];

    /// <summary>Their paths in the repository, with slashes.</summary>
    public static IEnumerable<string> Paths =>
        Find(TestRepository.PathOf())
            .Select(path => Path.GetRelativePath(TestRepository.PathOf(), path).Replace(Path.DirectorySeparatorChar, '/'))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Find(string folder) =>
        Directory
            .EnumerateDirectories(folder)
            .Where(inner => !Left.Contains(Path.GetFileName(inner)))
            .SelectMany(Find)
            .Concat(Directory.EnumerateFiles(folder, "*.md"));
}

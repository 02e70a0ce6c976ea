namespace Wisca.Tests.Documentation;

/// <summary>Links from one document of the repository to another, or into the code, lead somewhere.</summary>
public sealed class LinkTests
{
    // Made of data or by tools, with links of their own kind; or not part of the repository.
    private static readonly string[] Left = [".git", "artifacts", "runs", "results", "Golden", "node_modules"];

    private static readonly string Root = Path.GetDirectoryName(TestRepository.PathOf("Wisca.slnx"))!;

    public static TheoryData<string> Documents =>
        [.. Find(Root).Select(path => Path.GetRelativePath(Root, path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_RelativeLinks_LeadToFilesAndHeadings(string document)
    {
        string path = Path.Combine(Root, document), text = File.ReadAllText(path);
        foreach (string link in MarkdownLinks.Of(text).Where(link => !link.Contains("://", StringComparison.Ordinal)))
        {
            string[] parts = link.Split('#', 2);
            string target = parts[0].Length == 0 ? path : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, parts[0]));
            Path.Exists(target).ShouldBeTrue($"{document} links to {link}");
            if (parts.Length == 2 && target.EndsWith(".md", StringComparison.Ordinal))
                MarkdownLinks.Anchors(File.ReadAllText(target)).ShouldContain(parts[1], $"{document} links to {link}");
        }
    }

    private static IEnumerable<string> Find(string folder) =>
        Directory
            .EnumerateDirectories(folder)
            .Where(inner => !Left.Contains(Path.GetFileName(inner)))
            .SelectMany(Find)
            .Concat(Directory.EnumerateFiles(folder, "*.md"));
}

using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>Links from one document of the repository to another, or into the code, lead somewhere.</summary>
public sealed class LinkTests
{
    private static readonly string Root = TestRepository.PathOf();

    public static TheoryData<string> Documents => [.. WrittenDocuments.Paths];

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
}

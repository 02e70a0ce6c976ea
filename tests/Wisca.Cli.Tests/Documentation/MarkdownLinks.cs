using System.Text.RegularExpressions;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>The links and headings of a Markdown document, those within code left out.</summary>
internal static partial class MarkdownLinks
{
    /// <summary>Where links, images and HTML's <c>src</c> lead.</summary>
    public static IEnumerable<string> Of(string markdown) =>
        Targets().Matches(WithoutCode(markdown)).Select(match => match.Groups[1].Value + match.Groups[2].Value);

    /// <summary>The anchors that GitHub gives to headings.</summary>
    public static IEnumerable<string> Anchors(string markdown) =>
        Headings()
            .Matches(Fences().Replace(markdown.ReplaceLineEndings("\n"), ""))
            .Select(match => match.Groups[1].Value.Trim().ToLowerInvariant())
            .Select(title => string.Concat(title.Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-'));

    private static string WithoutCode(string markdown) => Spans().Replace(Fences().Replace(markdown.ReplaceLineEndings("\n"), ""), "");

    [GeneratedRegex(@"\]\(([^()\s]+)\)|(?:src|srcset)=""([^""]+)""")]
    private static partial Regex Targets();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();

    [GeneratedRegex(@"`[^`\n]*`")]
    private static partial Regex Spans();
}

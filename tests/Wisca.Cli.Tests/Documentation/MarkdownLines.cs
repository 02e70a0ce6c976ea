using System.Text.RegularExpressions;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>How long lines of Markdown may be: 100 characters, but for what cannot be broken.</summary>
internal static partial class MarkdownLines
{
    private const int Maximum = 100;

    /// <summary>
    /// The numbers of the lines that are too long. Code blocks, tables, headings and a line that is nothing but one link, code span or
    /// word may be longer.
    /// </summary>
    public static IEnumerable<int> TooLong(string markdown)
    {
        bool code = false;
        foreach (var (index, line) in markdown.ReplaceLineEndings("\n").Split('\n').Index())
        {
            bool fence = line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            if (fence) code = !code;
            if (!fence && !code && line.Length > Maximum && !Whole().IsMatch(line)) yield return index + 1;
        }
    }

    [GeneratedRegex(@"^\s*(\||#+ |([-*+]|\d+\.)?\s*(!?\[[^\]]*\](\([^)]*\)|: *\S+)|`[^`]*`|\S+)[.,;:]?$)")]
    private static partial Regex Whole();
}

using System.Text.RegularExpressions;

namespace Wisca.Evaluation.Scoring;

/// <summary>
/// Takes back the tokenisation of WikiText (" @-@ " for a hyphen inside a word, spaces around punctuation), step by step as the harness's
/// <c>wikitext</c> task does, its peculiarities included: of quotation marks and apostrophes each two that follow each other are a pair,
/// whether they are one or not.
/// </summary>
internal static partial class WikitextDetokenizer
{
    // Told apart from ordinary text by its first heading: " = Title = ".
    private const string TopHeading = "= ";

    /// <summary>The text of a page as it would be written.</summary>
    public static string Detokenize(string page)
    {
        ArgumentNullException.ThrowIfNull(page);

        // The second of these was meant to be an expression between slashes; it is one with slashes in it.
        string text = page.Replace("s '", "s'", StringComparison.Ordinal);
        text = SlashedNumber().Replace(text, "/'[0-9]/");
        foreach (string separator in (string[])["-", ",", "."])
            text = text.Replace($" @{separator}@ ", separator, StringComparison.Ordinal);
        foreach (char mark in ":;.!?,") text = text.Replace($" {mark} ", $"{mark} ", StringComparison.Ordinal);
        text = Parentheses().Replace(text, "($1)");
        text = Brackets().Replace(text, "[$1]");
        text = Braces().Replace(text, "{$1}");
        text = Quotes().Replace(text, "\"$1\"");
        text = Apostrophes().Replace(text, "'$1'");
        foreach (int level in (int[])[4, 3, 2])
            text = text.Replace(string.Join(' ', Enumerable.Repeat('=', level)), new string('=', level), StringComparison.Ordinal);
        text = text.Replace(" \u00B0 ", "\u00B0", StringComparison.Ordinal);
        text = text.Replace(" \n", "\n", StringComparison.Ordinal).Replace("\n ", "\n", StringComparison.Ordinal);
        return text.Replace(" N ", " 1 ", StringComparison.Ordinal).Replace(" 's", "'s", StringComparison.Ordinal);
    }

    /// <summary>
    /// The pages of a file: each begins with a heading of the first level, and what stands before the first one is a page too unless it is
    /// white space. The text is cut and nothing left out but the line break before a heading.
    /// </summary>
    /// <param name="text">The file, with \n as line break.</param>
    /// <param name="headings">Whether there is a heading; without one the text is one page.</param>
    public static IReadOnlyList<string> Pages(string text, out bool headings)
    {
        ArgumentNullException.ThrowIfNull(text);
        var pages = new List<string>();
        int page = 0;
        headings = false;
        for (int begin = 0; begin <= text.Length;)
        {
            int end = text.IndexOf('\n', begin);
            if (end < 0) end = text.Length;
            if (IsTopHeading(text.AsSpan(begin, end - begin)))
            {
                headings = true;

                // White space before a heading is dropped, as the harness's data drop it.
                if (begin > 0 && PythonText.Trim(text.AsSpan(page, begin - 1 - page)).Length > 0) pages.Add(text[page..(begin - 1)]);
                page = begin;
            }

            begin = end + 1;
        }

        pages.Add(text[page..]);
        return pages;
    }

    private static bool IsTopHeading(ReadOnlySpan<char> line)
    {
        var trimmed = PythonText.Trim(line);
        if (!trimmed.StartsWith(TopHeading) || !trimmed.EndsWith(" =")) return false;

        // "= = Section = =" has signs that stand together once the spaces between them are gone.
        string joined = trimmed.ToString().Replace("= = =", "===", StringComparison.Ordinal).Replace("= =", "==", StringComparison.Ordinal);
        return joined.StartsWith(TopHeading, StringComparison.Ordinal) && joined.EndsWith(" =", StringComparison.Ordinal);
    }

    [GeneratedRegex("/' [0-9]/", RegexOptions.CultureInvariant)]
    private static partial Regex SlashedNumber();

    [GeneratedRegex(@"\(" + PythonText.Space + @"*([^)]*?)" + PythonText.Space + @"*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Parentheses();

    [GeneratedRegex(@"\[" + PythonText.Space + @"*([^\]]*?)" + PythonText.Space + @"*\]", RegexOptions.CultureInvariant)]
    private static partial Regex Brackets();

    [GeneratedRegex(@"\{" + PythonText.Space + @"*([^}]*?)" + PythonText.Space + @"*\}", RegexOptions.CultureInvariant)]
    private static partial Regex Braces();

    [GeneratedRegex("\"" + PythonText.Space + "*([^\"]*?)" + PythonText.Space + "*\"", RegexOptions.CultureInvariant)]
    private static partial Regex Quotes();

    [GeneratedRegex("'" + PythonText.Space + "*([^']*?)" + PythonText.Space + "*'", RegexOptions.CultureInvariant)]
    private static partial Regex Apostrophes();
}

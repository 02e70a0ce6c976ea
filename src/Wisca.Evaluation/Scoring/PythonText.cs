namespace Wisca.Evaluation.Scoring;

/// <summary>White space as Python sees it, which the harness splits and strips by:
/// .NET's, and the four separators U+001C to U+001F.</summary>
internal static class PythonText
{
    /// <summary>The same as a class of a regular expression.</summary>
    public const string Space = @"[\s\x1C-\x1F]";

    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    /// <summary>The length without the white space at the end.</summary>
    public static int TrimmedLength(ReadOnlySpan<char> text)
    {
        int length = text.Length;
        while (length > 0 && IsSpace(text[length - 1])) length--;
        return length;
    }

    public static ReadOnlySpan<char> Trim(ReadOnlySpan<char> text)
    {
        text = text[..TrimmedLength(text)];
        while (text.Length > 0 && IsSpace(text[0])) text = text[1..];
        return text;
    }

    /// <summary>The number of parts that <c>re.split(r"\s+", text)</c> gives: runs of white space, and one.</summary>
    public static int Words(ReadOnlySpan<char> text)
    {
        int words = 1;
        for (int i = 0; i < text.Length; i++)
        {
            if (IsSpace(text[i]) && (i == 0 || !IsSpace(text[i - 1]))) words++;
        }

        return words;
    }
}

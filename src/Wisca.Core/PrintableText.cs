using System.Globalization;
using System.Text;

namespace Wisca;

/// <summary>Makes text from files fit to be shown: names of tensors and files may hold anything, escape sequences included.</summary>
public static class PrintableText
{
    /// <summary>
    /// Escapes control characters, line breaks, format characters (which turn the direction of text, or cannot be seen) and halves of
    /// surrogate pairs: <c>\u202e</c>. Text without any is returned as it is.
    /// </summary>
    public static string Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.All(c => c is >= ' ' and < '\u007f')) return text;
        var shown = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            bool whole = Rune.TryGetRuneAt(text, at, out var rune);
            int length = whole ? rune.Utf16SequenceLength : 1;
            if (whole && IsShown(Rune.GetUnicodeCategory(rune))) shown.Append(text, at, length);
            else
            {
                foreach (char unit in text.AsSpan(at, length)) shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            }

            at += length;
        }

        return shown.ToString();
    }

    private static bool IsShown(UnicodeCategory category) =>
        category is not (
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Surrogate);
}

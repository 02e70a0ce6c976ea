using System.Globalization;
using System.Text;
using System.Xml.Linq;

namespace Wisca.Reporting.Documents;

/// <summary>Replaces the characters that neither XML nor HTML can hold:
/// controls, halves of surrogate pairs, and two that are no characters.</summary>
internal static class AllowedText
{
    public static void Clean(XElement root)
    {
        foreach (var element in root.DescendantsAndSelf())
        {
            foreach (var attribute in element.Attributes().Where(attribute => !attribute.IsNamespaceDeclaration))
                attribute.Value = Of(attribute.Value);
            foreach (var text in element.Nodes().OfType<XText>()) text.Value = Of(text.Value);
        }
    }

    private static string Of(string text)
    {
        if (text.All(c => c is '\t' or '\n' or (>= ' ' and < '\u007f'))) return text;
        var allowed = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            // What turns the direction of text or cannot be seen is shown; a soft hyphen is where a word may break.
            if (Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format && rune.Value != 0xad)
            {
                allowed.Append(PrintableText.Of(rune.ToString()));
                continue;
            }

            allowed.Append(
                rune.Value is '\t' or '\n' or (>= 0x20 and not (>= 0x7f and < 0xa0) and not 0xfffe and not 0xffff)
                    ? rune
                    : Rune.ReplacementChar);
        }

        return allowed.ToString();
    }
}

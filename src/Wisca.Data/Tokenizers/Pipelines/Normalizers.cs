using System.Text;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>The steps of a normalizer.</summary>
internal static class Normalizers
{
    /// <summary>Lower case character by character, as the reference does it: no rule looks at neighbours.</summary>
    public static string Lowercase(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            // The one character whose lower case is two, whatever the language.
            if (rune.Value == 0x130) result.Append("i\u0307");
            else result.Append(Rune.ToLowerInvariant(rune));
        }

        return result.ToString();
    }

    /// <summary>Puts a text in front, but not of nothing.</summary>
    public static Func<string, string> Prepend(string prefix) => text => text.Length == 0 ? text : prefix + text;

    /// <summary>Takes away white space at either end.</summary>
    public static Func<string, string> Strip(bool left, bool right) => text =>
    {
        if (left) text = text.TrimStart();
        return right ? text.TrimEnd() : text;
    };
}

using System.Globalization;
using System.Text;
using Wisca.Data.Tokenizers.PreTokenizers;
using Wisca.Data.Tokenizers.Unicode;

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

    /// <summary>Leaves out the characters of a set.</summary>
    public static string Without(string text, CharacterSet characters)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (!characters.Contains(rune)) result.Append(rune);
        }

        return result.ToString();
    }

    /// <summary>BERT's: without invisible characters, every space a plain one, ideographs apart, accents and case taken away.</summary>
    /// <param name="clean">Whether invisible characters go, and every white space becomes a space.</param>
    /// <param name="separateIdeographs">Whether an ideograph gets a space on either side.</param>
    /// <param name="stripAccents">Whether accents are taken away.</param>
    /// <param name="lowercase">Whether letters become lower case.</param>
    public static Func<string, string> Bert(bool clean, bool separateIdeographs, bool stripAccents, bool lowercase) => text =>
    {
        if (clean) text = Spaced(Without(text, CharacterSets.Invisible));
        if (separateIdeographs) text = SeparateIdeographs(text);
        if (stripAccents)
            text = Without(UnicodeNormalization.Normalize(text, compatible: false, compose: false), CharacterSets.NonspacingMarks);
        return lowercase ? Lowercase(text) : text;
    };

    /// <summary>The rules of neural translation (T5's cleaning): some controls vanish, other white space becomes a plain space.</summary>
    public static string Nmt(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char letter in text)
        {
            switch (letter)
            {
                case (>= '\u0001' and <= '\u0008') or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F' or '\u008F' or '\u009F':
                    break;
                case '\t' or '\n' or '\f' or '\r' or '\u1680' or (>= '\u200B' and <= '\u200F') or '\u2028' or '\u2029':
                case '\u2581' or '\uFEFF' or '\uFFFD':
                    result.Append(' ');
                    break;
                default:
                    result.Append(letter);
                    break;
            }
        }

        return result.ToString();
    }

    /// <summary>Spells the UTF-8 bytes of a text as GPT-2 does.</summary>
    public static string ByteLevel(string text) =>
        string.Create(Encoding.UTF8.GetByteCount(text), text, (letters, source) =>
        {
            byte[] bytes = Encoding.UTF8.GetBytes(source);
            for (int i = 0; i < bytes.Length; i++) letters[i] = ByteLevelAlphabet.ToChar(bytes[i]);
        });

    /// <summary>
    /// Replaces by a compiled table as the reference does: a short cluster of characters that begins with an entry is replaced as a whole
    /// by what stands for the shortest such entry; of other clusters, each character by itself.
    /// </summary>
    public static Func<string, string> Precompiled(CharacterMap map) => text =>
    {
        if (map.IsEmpty) return text;
        var result = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            var cluster = rest[..StringInfo.GetNextTextElementLength(rest)];
            rest = rest[cluster.Length..];
            if (Encoding.UTF8.GetByteCount(cluster) < 6 && TryReplace(cluster, map, result)) continue;
            for (; !cluster.IsEmpty;)
            {
                Rune.DecodeFromUtf16(cluster, out _, out int length);
                if (!TryReplace(cluster[..length], map, result)) result.Append(cluster[..length]);
                cluster = cluster[length..];
            }
        }

        return result.ToString();
    };

    private static bool TryReplace(ReadOnlySpan<char> characters, CharacterMap map, StringBuilder result)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes = bytes[..Encoding.UTF8.GetBytes(characters, bytes)];
        if (map.Find(bytes, longest: false, out string replacement) == 0) return false;
        result.Append(replacement);
        return true;
    }

    private static string Spaced(string text) => string.Create(text.Length, text, (letters, source) =>
    {
        for (int i = 0; i < letters.Length; i++) letters[i] = char.IsWhiteSpace(source[i]) ? ' ' : source[i];
    });

    private static string SeparateIdeographs(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (CharacterSets.Ideographs.Contains(rune)) result.Append(' ').Append(rune).Append(' ');
            else result.Append(rune);
        }

        return result.ToString();
    }
}

using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>
/// A regular expression that sees characters where .NET's sees UTF-16 units: to .NET, half of 𝒜 or of 😀 is of category Cs and
/// no letter or symbol. Texts without such characters are matched as they are; in others, each one is first replaced by a
/// stand-in of its own category from the basic plane.
/// </summary>
internal sealed class UnicodeRegex
{
    /// <summary>
    /// How long the search for one match may take. Real patterns need microseconds; one with nested repetitions may need longer than the
    /// universe has.
    /// </summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(5);

    private readonly Regex _regex;
    private readonly string _where;

    /// <param name="pattern">A .NET pattern (see <see cref="RegexTranslator"/> for others).</param>
    /// <param name="where">The file and the key, for error messages.</param>
    /// <exception cref="ArgumentException">The pattern does not compile.</exception>
    public UnicodeRegex(string pattern, string where)
    {
        // Multiline because Oniguruma's ^ and $ always match at lines.
        _regex = new Regex(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant | RegexOptions.Multiline, TimeLimit);
        _where = where;
    }

    /// <summary>
    /// The characters that stand in for others. They are rare, caseless or in no pattern's ranges; a pattern with a range that
    /// holds one is refused by the translator.
    /// </summary>
    public static ReadOnlySpan<char> StandIns =>
        "\uA640\uA641\u1F88\uA015\uA000\uA66F\uA823\uA670\uA620\uA6E6\uA830\uA4FE\u2E3A\uA838\uA700\u2A00\uA490\u24B6\u2061\uE000\u0378";

    /// <summary>Adds all matches, in order, as places in the text.</summary>
    /// <param name="text">A text without lone surrogates.</param>
    /// <param name="matches">Receives start and end of each match.</param>
    /// <exception cref="WiscaException">The search takes too long.</exception>
    public void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        try
        {
            Find(text, matches);
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new WiscaException(
                $"{_where}: the regular expression searches {text.Length} characters for more than {TimeLimit.TotalSeconds} seconds",
                "its repetitions are nested; a pattern without that finds the same in no time",
                exception);
        }
    }

    private void Find(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            foreach (var match in _regex.EnumerateMatches(text)) matches.Add((match.Index, match.Index + match.Length));
            return;
        }

        char[] replaced = ArrayPool<char>.Shared.Rent(text.Length);
        int length = 0;
        foreach (var rune in text.EnumerateRunes()) replaced[length++] = rune.IsBmp ? (char)rune.Value : StandIn(rune);

        int place = 0, count = 0; // the place in the text where that many characters have been passed
        foreach (var match in _regex.EnumerateMatches(replaced.AsSpan(0, length)))
        {
            int start = Pass(match.Index, text, ref place, ref count);
            matches.Add((start, Pass(match.Index + match.Length, text, ref place, ref count)));
        }

        ArrayPool<char>.Shared.Return(replaced);
    }

    /// <summary>Replaces all matches by a fixed text.</summary>
    public string Replace(string text, string replacement)
    {
        var matches = new List<(int Start, int End)>();
        FindMatches(text, matches);
        if (matches.Count == 0) return text;
        TextGrowth.Check(text.Length, text.Length + ((long)matches.Count * replacement.Length), _where);
        var result = new StringBuilder(text.Length);
        int done = 0;
        foreach (var (start, end) in matches)
        {
            result.Append(text, done, start - done).Append(replacement);
            done = end;
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    private static int Pass(int target, ReadOnlySpan<char> text, ref int place, ref int count)
    {
        for (; count < target; count++) place += char.IsHighSurrogate(text[place]) ? 2 : 1;
        return place;
    }

    private static char StandIn(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter => '\uA640',
        UnicodeCategory.LowercaseLetter => '\uA641',
        UnicodeCategory.TitlecaseLetter => '\u1F88',
        UnicodeCategory.ModifierLetter => '\uA015',
        UnicodeCategory.OtherLetter => '\uA000',
        UnicodeCategory.NonSpacingMark => '\uA66F',
        UnicodeCategory.SpacingCombiningMark => '\uA823',
        UnicodeCategory.EnclosingMark => '\uA670',
        UnicodeCategory.DecimalDigitNumber => '\uA620',
        UnicodeCategory.LetterNumber => '\uA6E6',
        UnicodeCategory.OtherNumber => '\uA830',
        UnicodeCategory.OtherPunctuation => '\uA4FE',
        UnicodeCategory.DashPunctuation => '\u2E3A',
        UnicodeCategory.CurrencySymbol => '\uA838',
        UnicodeCategory.ModifierSymbol => '\uA700',
        UnicodeCategory.MathSymbol => '\u2A00',
        UnicodeCategory.OtherSymbol => CharacterClasses.IsCircledLetter(rune.Value) ? '\u24B6' : '\uA490',
        UnicodeCategory.Format => '\u2061',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u0378', // not assigned; the planes above have no separators, brackets, controls or connectors
    };
}

using System.Globalization;
using System.Text;

namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>A set of characters as sorted ranges of code points.</summary>
internal sealed class CharacterSet
{
    private readonly int[] _first;
    private readonly int[] _last;

    /// <param name="ranges">Code points and ranges of them in hexadecimal, ascending: <c>"41-5A 5F"</c>.</param>
    public CharacterSet(string ranges)
    {
        string[][] ends = [.. ranges.Split(' ').Select(range => range.Split('-'))];
        _first = [.. ends.Select(end => int.Parse(end[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
        _last = [.. ends.Select(end => int.Parse(end[^1], NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
    }

    /// <summary>True where the set holds a character.</summary>
    public bool Contains(Rune rune)
    {
        int at = Array.BinarySearch(_first, rune.Value);
        if (at < 0) at = ~at - 1; // the last range that begins before it
        return at >= 0 && rune.Value <= _last[at];
    }

    /// <summary>Adds each character of a text that the set holds, as a place in the text.</summary>
    public void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        int place = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (Contains(rune)) matches.Add((place, place + rune.Utf16SequenceLength));
            place += rune.Utf16SequenceLength;
        }
    }
}

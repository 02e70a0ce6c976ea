using System.Buffers;
using System.Text;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>
/// Cuts added tokens out of a text: leftmost first, the longest where several begin at one place, never overlapping. Which
/// white space belongs to a token, and which finds are discarded, is as in Hugging Face's tokenizers.
/// </summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<string>? _anywhere;
    private readonly Dictionary<char, (string Pattern, AddedToken Token)[]> _longestFirst;

    /// <param name="tokens">What to look for in the text, and the token that it stands for.</param>
    public AddedTokenMatcher(IEnumerable<(string Pattern, AddedToken Token)> tokens)
    {
        _longestFirst = tokens.Where(token => token.Pattern.Length > 0).GroupBy(token => token.Pattern[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Pattern.Length).ToArray());
        string[] patterns = [.. _longestFirst.Values.SelectMany(group => group.Select(token => token.Pattern)).Distinct()];
        _anywhere = patterns.Length == 0 ? null : SearchValues.Create(patterns, StringComparison.Ordinal);
    }

    /// <summary>Covers the text with segments, in order and without empty ones.</summary>
    public void Cut(ReadOnlySpan<char> text, List<TextSegment> segments)
    {
        int done = 0;
        for (int at = 0; _anywhere is not null;)
        {
            int found = text[at..].IndexOfAny(_anywhere);
            if (found < 0) break;
            int start = at + found;
            var (pattern, token) = LongestAt(text, start);
            int end = at = start + pattern.Length;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..]))) continue;
            if (token.StripLeft) start = Math.Max(text[..start].TrimEnd().Length, done);
            if (token.StripRight) end += text.Length - end - text[end..].TrimStart().Length;
            if (done < start) segments.Add(new TextSegment(done, start, null));
            segments.Add(new TextSegment(start, end, token.Id));
            done = end;
        }

        if (done < text.Length) segments.Add(new TextSegment(done, text.Length, null));
    }

    private (string Pattern, AddedToken Token) LongestAt(ReadOnlySpan<char> text, int start)
    {
        foreach (var candidate in _longestFirst[text[start]])
        {
            if (text[start..].StartsWith(candidate.Pattern, StringComparison.Ordinal)) return candidate;
        }

        throw new InvalidOperationException("a pattern was found in the text that is none of the patterns");
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);
}

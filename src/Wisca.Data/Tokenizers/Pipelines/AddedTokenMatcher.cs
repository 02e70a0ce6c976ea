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
    private readonly Dictionary<string, AddedToken> _tokens = new(StringComparer.Ordinal);
    private readonly Dictionary<char, int[]> _lengths;

    /// <param name="tokens">What to look for in the text, and the token that it stands for; of equal texts the first one counts.</param>
    public AddedTokenMatcher(IEnumerable<(string Pattern, AddedToken Token)> tokens)
    {
        foreach (var (pattern, token) in tokens)
        {
            if (pattern.Length > 0) _tokens.TryAdd(pattern, token);
        }

        _lengths = _tokens.Keys.GroupBy(pattern => pattern[0])
            .ToDictionary(group => group.Key, group => group.Select(pattern => pattern.Length).Distinct().OrderDescending().ToArray());
        _anywhere = _tokens.Count == 0 ? null : SearchValues.Create([.. _tokens.Keys], StringComparison.Ordinal);
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
            var (length, token) = LongestAt(text, start);
            int end = at = start + length;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..]))) continue;
            if (token.StripLeft) start = Math.Max(text[..start].TrimEnd().Length, done);
            if (token.StripRight) end += text.Length - end - text[end..].TrimStart().Length;
            if (done < start) segments.Add(new TextSegment(done, start, null));
            segments.Add(new TextSegment(start, end, token.Id));
            done = end;
        }

        if (done < text.Length) segments.Add(new TextSegment(done, text.Length, null));
    }

    private (int Length, AddedToken Token) LongestAt(ReadOnlySpan<char> text, int start)
    {
        var tokens = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (int length in _lengths[text[start]])
        {
            if (length <= text.Length - start && tokens.TryGetValue(text.Slice(start, length), out var token)) return (length, token);
        }

        throw new InvalidOperationException("a pattern was found in the text that is none of the patterns");
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);
}

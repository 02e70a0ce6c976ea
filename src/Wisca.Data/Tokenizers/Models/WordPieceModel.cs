namespace Wisca.Data.Tokenizers.Models;

/// <summary>
/// WordPiece (BERT): from the left, always the longest token that fits; what does not begin the word is looked up with a prefix
/// (<c>##</c>). A word that cannot be spelled so is the unknown token as a whole.
/// </summary>
internal sealed class WordPieceModel : IPieceModel, IPieceEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly string _continuingPrefix;
    private readonly int _unknownId;
    private readonly int _longestWord;
    private readonly int _longestToken;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="unknownId">The token of words that cannot be spelled.</param>
    /// <param name="continuingPrefix">What stands before a token that does not begin a word.</param>
    /// <param name="longestWord">Words of more characters are unknown.</param>
    public WordPieceModel(Vocabulary vocabulary, int unknownId, string continuingPrefix, int longestWord)
    {
        _ids = vocabulary.BySpan();
        _unknownId = unknownId;
        _continuingPrefix = continuingPrefix;
        _longestWord = longestWord;
        _longestToken = Enumerable.Range(0, vocabulary.Size).Max(id => vocabulary[id]?.Length ?? 0);
    }

    /// <inheritdoc/>
    public IPieceEncoder CreateEncoder() => this;

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> piece, List<int> output)
    {
        int before = output.Count;
        if (IsTooLong(piece) || !Spell(piece, output))
        {
            output.RemoveRange(before, output.Count - before);
            output.Add(_unknownId);
        }
    }

    private bool IsTooLong(ReadOnlySpan<char> piece)
    {
        if (piece.Length <= _longestWord) return false;
        int characters = 0;
        foreach (var _ in piece.EnumerateRunes()) characters++;
        return characters > _longestWord;
    }

    private bool Spell(ReadOnlySpan<char> piece, List<int> output)
    {
        Span<char> candidate = stackalloc char[Math.Min(_longestToken, 512)];
        if (_longestToken > candidate.Length) candidate = new char[_longestToken];
        for (int start = 0; start < piece.Length;)
        {
            string prefix = start == 0 ? "" : _continuingPrefix;
            int length = Math.Min(piece.Length - start, _longestToken - prefix.Length);
            for (; length > 0; length--)
            {
                if (start + length < piece.Length && char.IsLowSurrogate(piece[start + length])) continue;
                prefix.CopyTo(candidate);
                piece.Slice(start, length).CopyTo(candidate[prefix.Length..]);
                if (!_ids.TryGetValue(candidate[..(prefix.Length + length)], out int id)) continue;
                output.Add(id);
                break;
            }

            if (length <= 0) return false;
            start += length;
        }

        return true;
    }
}

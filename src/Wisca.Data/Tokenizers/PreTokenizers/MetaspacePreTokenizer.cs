namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>SentencePiece's spelling of spaces as a visible mark (▁), as a pre-tokenizer.</summary>
/// <param name="mark">What stands for a space.</param>
/// <param name="scheme">Where a mark is put in front.</param>
/// <param name="split">Whether each mark begins a new piece.</param>
internal sealed class MetaspacePreTokenizer(char mark, PrependScheme scheme, bool split) : IPreTokenizer
{
    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<char> piece, bool atStart, PieceBuffer output)
    {
        bool prepend =
            piece[0] != ' ' && piece[0] != mark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && atStart));
        char[] marked = new char[piece.Length + (prepend ? 1 : 0)];
        marked[0] = mark;
        piece.Replace(marked.AsSpan(marked.Length - piece.Length), ' ', mark);

        ReadOnlySpan<char> rest = marked;
        while (split && rest.Length > 1 && rest[1..].IndexOf(mark) is >= 0 and int next)
        {
            output.Add(rest[..(next + 1)]);
            rest = rest[(next + 1)..];
        }

        output.Add(rest);
    }
}

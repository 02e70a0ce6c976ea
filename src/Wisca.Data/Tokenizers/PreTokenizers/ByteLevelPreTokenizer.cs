using System.Buffers;
using System.Text;
using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>GPT-2's pre-tokenizer: splits by its pattern, where asked to, and spells the UTF-8 bytes of each piece as characters.</summary>
/// <param name="addPrefixSpace">Whether a piece that does not begin with a space gets one.</param>
/// <param name="split">Whether to split by GPT-2's pattern.</param>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool split) : IPreTokenizer
{
    private static readonly Lazy<UnicodeRegex> Words = new(() => new UnicodeRegex(
        @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", "the byte-level pre-tokenizer"));

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<char> piece, bool atStart, PieceBuffer output)
    {
        if (addPrefixSpace && piece[0] != ' ') piece = string.Concat(" ", piece);
        if (!split)
        {
            Spell(piece, output);
            return;
        }

        // The pattern has a branch for every character, so that its matches cover the piece.
        var words = output.Matches;
        words.Clear();
        Words.Value.FindMatches(piece, words);
        foreach (var (start, end) in words) Spell(piece[start..end], output);
    }

    private static void Spell(ReadOnlySpan<char> word, PieceBuffer output)
    {
        int most = Encoding.UTF8.GetMaxByteCount(word.Length);
        byte[]? rented = most > 256 ? ArrayPool<byte>.Shared.Rent(most) : null;
        Span<byte> bytes = rented ?? stackalloc byte[256];
        int count = Encoding.UTF8.GetBytes(word, bytes);
        var spelled = output.Reserve(count);
        for (int i = 0; i < count; i++) spelled[i] = ByteLevelAlphabet.ToChar(bytes[i]);
        output.Commit(count);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
    }
}

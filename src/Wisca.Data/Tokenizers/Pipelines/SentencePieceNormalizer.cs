using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Wisca.Data.Tokenizers.Models;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>
/// What SentencePiece does to a text before its model sees it: a table of replacements (<c>precompiled_charsmap</c>), spaces at
/// the ends and double ones taken out or not, one put in front or not, and all of them spelled ▁.
/// </summary>
internal sealed class SentencePieceNormalizer
{
    private const char Mark = '\u2581';

    private readonly SentencePieceModel _model;
    private readonly string _file;
    private readonly uint[] _trie = [];
    private readonly byte[] _replacements = [];
    private readonly byte[][] _kept;

    /// <param name="model">The model.</param>
    /// <param name="file">The model's file name, for error messages.</param>
    /// <exception cref="WiscaException">The table is damaged.</exception>
    public SentencePieceNormalizer(SentencePieceModel model, string file)
    {
        _model = model;
        _file = file;

        // What the user defined is not touched by the table.
        _kept =
        [
            .. model.Pieces.Where(piece => piece.Type == SentencePieceType.UserDefined).Select(piece => Encoding.UTF8.GetBytes(piece.Text)),
        ];
        if (model.Charsmap.Length == 0) return;
        uint length = model.Charsmap.Length < 4 ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(model.Charsmap);
        if (length > model.Charsmap.Length - 4 || length % 4 != 0 || length == 0) throw Damaged();
        _trie = MemoryMarshal.Cast<byte, uint>(model.Charsmap.AsSpan(4, (int)length)).ToArray();
        _replacements = model.Charsmap[(4 + (int)length)..];
    }

    public string Normalize(string text)
    {
        string mapped = _trie.Length == 0 ? text : Map(text);
        if (_model.RemoveExtraWhitespaces) mapped = WithoutExtraSpaces(mapped);
        if (mapped.Length == 0) return mapped;
        if (_model.AddDummyPrefix) mapped = " " + mapped;
        return mapped.Replace(' ', Mark);
    }

    private static string WithoutExtraSpaces(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char letter in text)
        {
            if (letter != ' ' || (result.Length > 0 && result[^1] != ' ')) result.Append(letter);
        }

        // SentencePiece looks at the end last, when spaces and marks look alike.
        return result.ToString().TrimEnd(' ', Mark);
    }

    /// <summary>Replaces, from left to right, the longest entries of the table.</summary>
    private string Map(string text)
    {
        var result = new StringBuilder(text.Length);
        for (ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text); !rest.IsEmpty;)
        {
            int kept = LongestKept(rest);
            if (kept == 0 && LongestEntry(rest, out int offset) is > 0 and int length)
            {
                var replacement = _replacements.AsSpan(offset);
                int end = replacement.IndexOf((byte)0);
                result.Append(Encoding.UTF8.GetString(end < 0 ? throw Damaged() : replacement[..end]));
                rest = rest[length..];
                continue;
            }

            if (kept == 0) Rune.DecodeFromUtf8(rest, out _, out kept);
            result.Append(Encoding.UTF8.GetString(rest[..kept]));
            rest = rest[kept..];
        }

        return result.ToString();
    }

    private int LongestKept(ReadOnlySpan<byte> text)
    {
        int longest = 0;
        foreach (byte[] piece in _kept)
        {
            if (piece.Length > longest && text.StartsWith(piece)) longest = piece.Length;
        }

        return longest;
    }

    /// <summary>
    /// Walks the double-array trie (darts-clone): a unit holds an offset to its children, its own label, and whether one of the
    /// children is the leaf that holds the value.
    /// </summary>
    private int LongestEntry(ReadOnlySpan<byte> text, out int value)
    {
        int longest = 0;
        value = 0;
        uint position = ChildrenOf(0, Unit(0));
        for (int i = 0; i < text.Length; i++)
        {
            position ^= text[i];
            uint unit = Unit(position);
            if ((unit & 0x800000FF) != text[i]) break;
            position = ChildrenOf(position, unit);
            if ((unit & 0x100) == 0) continue;
            longest = i + 1;
            value = (int)(Unit(position) & 0x7FFFFFFF);
            if (value >= _replacements.Length) throw Damaged();
        }

        return longest;
    }

    private static uint ChildrenOf(uint position, uint unit) => position ^ ((unit >> 10) << (int)((unit & 0x200) >> 6));

    private uint Unit(uint position) => position < _trie.Length ? _trie[position] : throw Damaged();

    private WiscaException Damaged() => new($"{_file}: normalizer_spec.precompiled_charsmap is damaged", "fetch the file again");
}

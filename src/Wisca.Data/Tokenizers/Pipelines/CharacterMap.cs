using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>
/// SentencePiece's compiled table of replacements (<c>precompiled_charsmap</c>): the length of a double-array trie (darts-clone), the trie,
/// and the replacements, each ended by a zero byte.
/// </summary>
internal sealed class CharacterMap
{
    private readonly uint[] _trie;
    private readonly byte[] _replacements;
    private readonly string _where;

    /// <param name="table">The table; an empty one replaces nothing.</param>
    /// <param name="where">The file and the key, for error messages.</param>
    /// <exception cref="WiscaException">The table is damaged.</exception>
    public CharacterMap(byte[] table, string where)
    {
        _where = where;
        (_trie, _replacements) = ([], []);
        if (table.Length == 0) return;
        uint length = table.Length < 4 ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(table);
        if (length > table.Length - 4 || length % 4 != 0 || length == 0) throw Damaged();
        _trie = MemoryMarshal.Cast<byte, uint>(table.AsSpan(4, (int)length)).ToArray();
        _replacements = table[(4 + (int)length)..];
    }

    /// <summary>True where nothing is replaced.</summary>
    public bool IsEmpty => _trie.Length == 0;

    /// <summary>Finds an entry that a text begins with.</summary>
    /// <param name="text">The text as UTF-8.</param>
    /// <param name="longest">Whether the longest entry counts, or the shortest.</param>
    /// <param name="replacement">What stands for it.</param>
    /// <returns>Number of bytes that are replaced; 0 where there is no such entry.</returns>
    public int Find(ReadOnlySpan<byte> text, bool longest, out string replacement)
    {
        // A unit holds an offset to its children, its own label, and whether one of the children is the leaf that holds the value.
        int found = 0, value = 0;
        uint position = IsEmpty ? 0 : ChildrenOf(0, Unit(0));
        for (int i = 0; i < text.Length && !IsEmpty; i++)
        {
            position ^= text[i];
            uint unit = Unit(position);
            if ((unit & 0x800000FF) != text[i]) break;
            position = ChildrenOf(position, unit);
            if ((unit & 0x100) == 0) continue;
            found = i + 1;
            value = (int)(Unit(position) & 0x7FFFFFFF);
            if (!longest) break;
        }

        replacement = found == 0 ? "" : ReplacementAt(value);
        return found;
    }

    private static uint ChildrenOf(uint position, uint unit) => position ^ ((unit >> 10) << (int)((unit & 0x200) >> 6));

    private string ReplacementAt(int offset)
    {
        int end = offset < _replacements.Length ? _replacements.AsSpan(offset).IndexOf((byte)0) : -1;
        return end < 0 ? throw Damaged() : Encoding.UTF8.GetString(_replacements, offset, end);
    }

    private uint Unit(uint position) => position < _trie.Length ? _trie[position] : throw Damaged();

    private WiscaException Damaged() => new($"{_where} is damaged", "fetch the file again");
}

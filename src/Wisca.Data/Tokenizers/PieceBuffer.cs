namespace Wisca.Data.Tokenizers;

/// <summary>Pieces of text, one after the other in one growing array, so that a piece costs no object.</summary>
internal sealed class PieceBuffer
{
    private readonly List<int> _ends = [];
    private char[] _chars = [];
    private int _length;

    public int Count => _ends.Count;

    /// <summary>Room for the matches of one piece, kept to be used again.</summary>
    public List<(int Start, int End)> Matches { get; } = [];

    public ReadOnlySpan<char> this[int index] => _chars.AsSpan()[(index == 0 ? 0 : _ends[index - 1]).._ends[index]];

    public void Clear()
    {
        _ends.Clear();
        _length = 0;
    }

    /// <summary>Adds a piece; an empty one is dropped.</summary>
    public void Add(ReadOnlySpan<char> piece)
    {
        piece.CopyTo(Reserve(piece.Length));
        Commit(piece.Length);
    }

    /// <summary>Room behind the last piece, to be filled and committed.</summary>
    public Span<char> Reserve(int length)
    {
        if (_chars.Length - _length < length) Array.Resize(ref _chars, Math.Max(_length + length, 2 * _chars.Length));
        return _chars.AsSpan(_length, length);
    }

    /// <summary>Makes the first characters of the reserved room a piece.</summary>
    public void Commit(int length)
    {
        if (length == 0) return;
        _length += length;
        _ends.Add(_length);
    }
}

namespace Wisca.Data.Tokenizers.Models;

/// <summary>The tokens of one piece while they are merged: a linked list over arrays, and the heap of candidates.</summary>
internal sealed class BytePairWorkspace
{
    private const int Gone = -2;

    private readonly PriorityQueue<int, long> _candidates = new();
    private int[] _ids = new int[64];
    private int[] _left = new int[64];
    private int[] _right = new int[64];

    /// <summary>How many places there are, merged away or not.</summary>
    public int Count { get; private set; }

    /// <summary>The token at a place.</summary>
    public int this[int place] => _ids[place];

    /// <summary>The neighbour on the left; negative where there is none.</summary>
    public int Left(int place) => _left[place];

    /// <summary>The neighbour on the right; negative where there is none or the place was merged away.</summary>
    public int Right(int place) => _right[place];

    public void Clear() => Count = 0;

    /// <summary>Adds a token at the end.</summary>
    public void Add(int id)
    {
        if (Count == _ids.Length)
        {
            Array.Resize(ref _ids, 2 * Count);
            Array.Resize(ref _left, 2 * Count);
            Array.Resize(ref _right, 2 * Count);
        }

        _ids[Count] = id;
        _left[Count] = Count - 1;
        _right[Count] = -1;
        if (Count > 0) _right[Count - 1] = Count;
        Count++;
    }

    /// <summary>Notes that a place can be merged with its right neighbour.</summary>
    public void Propose(int place, int rank) => _candidates.Enqueue(place, ((long)rank << 32) | (uint)place);

    /// <summary>Takes the candidate of lowest rank, and of those the leftmost.</summary>
    public bool TryTake(out int place, out int rank)
    {
        bool any = _candidates.TryDequeue(out place, out long priority);
        rank = (int)(priority >> 32);
        return any;
    }

    /// <summary>Merges a place with its right neighbour.</summary>
    public void Merge(int place, int id)
    {
        int gone = _right[place], next = _right[gone];
        _ids[place] = id;
        _right[place] = next;
        _right[gone] = Gone;
        if (next >= 0) _left[next] = place;
    }

    /// <summary>The tokens that are left.</summary>
    public int[] ToArray()
    {
        var ids = new List<int>(Count);
        CopyTo(ids);
        return [.. ids];
    }

    /// <summary>Adds the tokens that are left to a list.</summary>
    public void CopyTo(List<int> output)
    {
        for (int place = Count == 0 ? -1 : 0; place >= 0; place = _right[place]) output.Add(_ids[place]);
    }
}

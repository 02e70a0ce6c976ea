using System.Runtime.InteropServices;

namespace Wisca.Data.Tokenizers.Training;

/// <summary>
/// How often each pair of neighbours occurs in the words, kept up to date while pairs are merged:
/// a merge touches the words that hold its pair and no others.
/// </summary>
internal sealed class PairCounts
{
    private readonly List<Word> _words;
    private readonly Dictionary<long, long> _counts = [];
    private readonly Dictionary<long, List<int>> _places = [];

    /// <summary>Pairs by count, highest first, then by ids. A count here may be out of date, but never too low.</summary>
    private readonly PriorityQueue<(long Pair, long Count), (long Count, long Pair)> _queue = new();

    /// <param name="words">Each distinct word as ids, and how often it occurs.</param>
    public PairCounts(IEnumerable<(int[] Symbols, long Count)> words)
    {
        _words = [.. words.Select(word => new Word(word.Symbols, word.Count))];
        for (int place = 0; place < _words.Count; place++)
        {
            Count(_words[place], sign: 1);
            foreach (long pair in _words[place].Pairs()) Note(pair, place);
        }

        foreach (var (pair, count) in _counts) _queue.Enqueue((pair, count), (-count, pair));
    }

    /// <summary>Takes the most frequent pair, of equal ones that of the lowest left and then right id;
    /// false where none occurs often enough.</summary>
    public bool TryTake(long minCount, out int left, out int right)
    {
        while (_queue.TryDequeue(out var top, out _))
        {
            long count = _counts.GetValueOrDefault(top.Pair);
            if (count < minCount) continue;
            if (count == top.Count)
            {
                (left, right) = ((int)(top.Pair >> 32), (int)top.Pair);
                return true;
            }

            _queue.Enqueue((top.Pair, count), (-count, top.Pair));
        }

        (left, right) = (0, 0);
        return false;
    }

    /// <summary>Merges a pair wherever it occurs.</summary>
    public void Merge(int left, int right, int id)
    {
        var touched = new HashSet<long>();
        if (!_places.Remove(Key(left, right), out var places)) return;
        foreach (int place in places)
        {
            var word = _words[place];
            if (!word.Contains(left, right)) continue;
            Count(word, sign: -1);
            word.Merge(left, right, id);
            Count(word, sign: 1);
            foreach (long pair in word.Pairs())
            {
                // All other pairs of the word knew it before.
                if ((int)(pair >> 32) != id && (int)pair != id) continue;
                Note(pair, place);
                touched.Add(pair);
            }
        }

        foreach (long pair in touched) _queue.Enqueue((pair, _counts[pair]), (-_counts[pair], pair));
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private void Count(Word word, int sign)
    {
        foreach (long pair in word.Pairs()) CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += sign * word.Count;
    }

    private void Note(long pair, int place)
    {
        ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out _);
        places ??= [];
        if (places.Count == 0 || places[^1] != place) places.Add(place);
    }

    private sealed class Word(int[] symbols, long count)
    {
        private int _length = symbols.Length;

        public long Count { get; } = count;

        public IEnumerable<long> Pairs()
        {
            for (int i = 1; i < _length; i++) yield return Key(symbols[i - 1], symbols[i]);
        }

        public bool Contains(int left, int right)
        {
            for (int i = 1; i < _length; i++)
            {
                if (symbols[i - 1] == left && symbols[i] == right) return true;
            }

            return false;
        }

        /// <summary>Merges from the left, so that of three equal symbols the first two become one.</summary>
        public void Merge(int left, int right, int id)
        {
            int end = 0;
            for (int i = 0; i < _length; i++)
            {
                bool here = symbols[i] == left && i + 1 < _length && symbols[i + 1] == right;
                symbols[end++] = here ? id : symbols[i];
                if (here) i++;
            }

            _length = end;
        }
    }
}

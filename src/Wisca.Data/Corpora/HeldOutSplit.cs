using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Wisca.Data.Corpora;

/// <summary>Decides which documents are held out.</summary>
internal sealed class HeldOutSplit
{
    private readonly CorpusTokenizerOptions _options;
    private readonly (ulong Hash, long Index)? _last;

    /// <param name="documents">Enumerated once where a number of documents is to be held out, not at all otherwise.</param>
    /// <param name="options">What to hold out.</param>
    /// <param name="cancellation">Stops the enumeration.</param>
    public HeldOutSplit(IEnumerable<string> documents, CorpusTokenizerOptions options, CancellationToken cancellation)
    {
        _options = options;
        if (options.HeldOutCount == 0) return;

        // The smallest hashes so far, the largest of them first to leave.
        var smallest = new PriorityQueue<(ulong, long), (ulong, long)>(Comparer<(ulong, long)>.Create((a, b) => b.CompareTo(a)));
        long index = 0;
        foreach (string text in documents)
        {
            cancellation.ThrowIfCancellationRequested();
            var key = (Hash(text), index++);
            if (smallest.Count < options.HeldOutCount) smallest.Enqueue(key, key);
            else smallest.EnqueueDequeue(key, key);
        }

        if (index <= options.HeldOutCount)
            throw new WiscaException(
                $"{options.HeldOutCount} documents are to be held out, but there are {index}",
                "hold out fewer; does a separator's line part the documents?");
        _last = smallest.Peek();
    }

    public bool IsHeldOut(string text, long index) => _last is { } last
        ? (Hash(text), index).CompareTo(last) <= 0
        : _options.HeldOutFraction > 0 && (Hash(text) >> 11) * (1.0 / (1UL << 53)) < _options.HeldOutFraction;

    private ulong Hash(string text) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(text.AsSpan()), _options.Seed);
}

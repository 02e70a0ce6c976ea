using System.Collections.Concurrent;
using System.Text;

namespace Wisca.Data.Tokenizers.Models;

/// <summary>
/// Byte-pair encoding: the characters of a piece are merged, always the pair of lowest rank and of those the leftmost, until no
/// pair of neighbours has a merge. A heap of candidates over a linked list makes it n log n for a piece of any length.
/// </summary>
/// <remarks>
/// One engine serves tokenizer.json, SentencePiece and GPT-2's files. Microsoft.ML.Tokenizers (2.0.1) was tried and left out: it
/// has neither byte fallback nor ignore_merges nor added tokens beside a plain list, splits by UTF-16 units, and its
/// SentencePiece reader ignores remove_extra_whitespaces, returns nothing for some texts and breaks ties in another order.
/// </remarks>
internal sealed class BytePairModel : IPieceModel
{
    private const int MaxCachedLength = 64;
    private const int MaxCached = 1 << 16;

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly Dictionary<long, (int Rank, int Result)> _merges = [];
    private readonly HashSet<int> _joints = [];
    private readonly HashSet<char> _known = [];
    private readonly int?[] _byteIds = new int?[256];
    private readonly BytePairOptions _options;
    private readonly long _stride;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cacheCount;

    public BytePairModel(Vocabulary vocabulary, IReadOnlyCollection<BytePairMerge> merges, BytePairOptions options)
    {
        _ids = vocabulary.BySpan();
        _options = options;
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        _merges.EnsureCapacity(merges.Count);

        _stride = vocabulary.Size;
        for (int value = 0; options.ByteFallback && value < 256; value++) _byteIds[value] = vocabulary.Find($"<0x{value:X2}>");
        foreach (var merge in merges)
        {
            // Of a pair that is listed twice the last one counts, as in the reference.
            _merges[Key(merge.Left, merge.Right)] = (merge.Rank, merge.Result);
            _joints.Add(Joint(vocabulary[merge.Left]![^1], vocabulary[merge.Right]![0]));
        }

        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary[id] is [var letter]) _known.Add(letter);
        }
    }

    /// <inheritdoc/>
    public IPieceEncoder CreateEncoder() => new Encoder(this);

    private void Encode(ReadOnlySpan<char> piece, BytePairWorkspace workspace, List<int> output)
    {
        if (piece.Length > MaxCachedLength && !_options.IgnoreMerges)
        {
            // A whole document may be one piece. Between two characters of the vocabulary at which no merge joins anything it can
            // be cut without changing a token, and most parts are words that come again.
            int start = 0;
            for (int i = 1; i < piece.Length; i++)
            {
                if (_joints.Contains(Joint(piece[i - 1], piece[i])) || !_known.Contains(piece[i - 1]) || !_known.Contains(piece[i]))
                    continue;
                EncodePart(piece[start..i], workspace, output);
                start = i;
            }

            piece = piece[start..];
        }

        if (!piece.IsEmpty) EncodePart(piece, workspace, output);
    }

    private static int Joint(char left, char right) => (left << 16) | right;

    private long Key(int left, int right) => (left * _stride) + right;

    private void EncodePart(ReadOnlySpan<char> part, BytePairWorkspace workspace, List<int> output)
    {
        if (_options.IgnoreMerges && _ids.TryGetValue(part, out int whole))
        {
            output.Add(whole);
        }
        else if (part.Length > MaxCachedLength)
        {
            Merge(part, workspace);
            workspace.CopyTo(output);
        }
        else
        {
            if (!_cached.TryGetValue(part, out int[]? ids))
            {
                Merge(part, workspace);
                ids = workspace.ToArray();
                if (_cacheCount < MaxCached && _cached.TryAdd(part, ids)) Interlocked.Increment(ref _cacheCount);
            }

            output.AddRange(ids);
        }
    }

    private void Merge(ReadOnlySpan<char> part, BytePairWorkspace workspace)
    {
        Spell(part, workspace);
        for (int place = 1; place < workspace.Count; place++) Propose(place - 1, place, workspace);
        while (workspace.TryTake(out int place, out int rank))
        {
            // A candidate is out of date where its place was merged away or has another pair by now.
            int right = workspace.Right(place);
            if (right < 0 || !_merges.TryGetValue(Key(workspace[place], workspace[right]), out var merge) || merge.Rank != rank) continue;
            workspace.Merge(place, merge.Result);
            if (workspace.Left(place) is >= 0 and int left) Propose(left, place, workspace);
            if (workspace.Right(place) is >= 0 and int next) Propose(place, next, workspace);
        }
    }

    private void Propose(int left, int right, BytePairWorkspace workspace)
    {
        if (_merges.TryGetValue(Key(workspace[left], workspace[right]), out var merge)) workspace.Propose(left, merge.Rank);
    }

    /// <summary>Starts with a token for each character, or for each byte of a character that has none.</summary>
    private void Spell(ReadOnlySpan<char> part, BytePairWorkspace workspace)
    {
        workspace.Clear();
        Span<byte> bytes = stackalloc byte[4];
        bool unknownWaits = false; // an unknown token is added only once it is clear that its run has ended
        while (!part.IsEmpty)
        {
            Rune.DecodeFromUtf16(part, out var rune, out int length);
            if (_ids.TryGetValue(part[..length], out int id))
            {
                if (unknownWaits) workspace.Add(_options.UnknownId!.Value);
                unknownWaits = false;
                workspace.Add(id);
            }
            else if (!_options.ByteFallback || !TryAddBytes(bytes[..rune.EncodeToUtf8(bytes)], workspace))
            {
                if (unknownWaits && !_options.FuseUnknown) workspace.Add(_options.UnknownId!.Value);
                unknownWaits = _options.UnknownId is not null;
            }

            part = part[length..];
        }

        if (unknownWaits) workspace.Add(_options.UnknownId!.Value);
    }

    private bool TryAddBytes(ReadOnlySpan<byte> bytes, BytePairWorkspace workspace)
    {
        foreach (byte value in bytes)
        {
            if (_byteIds[value] is null) return false;
        }

        foreach (byte value in bytes) workspace.Add(_byteIds[value]!.Value);
        return true;
    }

    private sealed class Encoder(BytePairModel model) : IPieceEncoder
    {
        private readonly BytePairWorkspace _workspace = new();

        public void Encode(ReadOnlySpan<char> piece, List<int> output) => model.Encode(piece, _workspace, output);
    }
}

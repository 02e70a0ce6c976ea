using System.IO.Hashing;
using System.Runtime.InteropServices;
using Wisca.Data.Corpora;

namespace Wisca.Training.Batches;

/// <summary>The tokens of held-out text: a token file, or the part of one that documents were chosen for.</summary>
internal sealed class HeldOutTokens
{
    private readonly TokenFile? _file;
    private readonly int[] _ids = [];

    public HeldOutTokens(string name, TokenFile file) => (Name, _file, Count) = (name, file, file.Count);

    private HeldOutTokens(string name, int[] ids) => (Name, _ids, Count) = (name, ids, ids.Length);

    /// <summary>What messages call the text.</summary>
    public string Name { get; }

    public long Count { get; }

    /// <summary>
    /// Parts the documents of a token file by a hash of their tokens: the same document is on the same side whatever stands beside it and
    /// whatever the run's seed is.
    /// </summary>
    /// <param name="file">The file; each of its documents ends with EOS.</param>
    /// <param name="share">The share of documents that is test text.</param>
    public static (HeldOutTokens Validation, HeldOutTokens Test) Split(TokenFile file, double share)
    {
        const int piece = 1 << 16;
        List<int> validation = [], test = [], document = [];
        long[] ids = new long[piece];
        for (long offset = 0; offset < file.Count; offset += piece)
        {
            var read = ids.AsSpan(0, (int)Math.Min(piece, file.Count - offset));
            file.Read(offset, read);
            foreach (long id in read)
            {
                document.Add((int)id);
                if (id == file.EosId) End();
            }
        }

        End();
        return (new HeldOutTokens("held-out", [.. validation]), new HeldOutTokens("test", [.. test]));

        void End()
        {
            var bytes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(document));
            ((XxHash3.HashToUInt64(bytes) >> 11) * (1.0 / (1UL << 53)) < share ? test : validation).AddRange(document);
            document.Clear();
        }
    }

    public void Read(long offset, Span<long> ids)
    {
        if (_file is not null)
        {
            _file.Read(offset, ids);
            return;
        }

        for (int index = 0; index < ids.Length; index++) ids[index] = _ids[offset + index];
    }
}

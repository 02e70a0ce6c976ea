using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Wisca.Files;

namespace Wisca.Data.Corpora;

/// <summary>
/// A token file opened for reading: the ids of a corpus, document after document. Ids are read where they are asked for: a file larger than
/// the memory is no trouble, many threads may read at once, and one that another program cuts short is an error and not the end.
/// </summary>
/// <remarks>
/// All numbers are little-endian. A header of 128 bytes, then the ids without gaps to the end of the file:
/// <list type="table">
/// <listheader><term>bytes</term><description>what</description></listheader>
/// <item><term>0-7</term><description>the characters <c>WISCATOK</c></description></item>
/// <item><term>8-11</term><description>version, 1</description></item>
/// <item><term>12-15</term><description>bits of an id:
/// 16 for a vocabulary of up to 65,536, otherwise 32 (both unsigned)</description></item>
/// <item><term>16-19</term><description>vocabulary size</description></item>
/// <item><term>20-23</term><description>id of the token that ends every document, -1 where there is none</description></item>
/// <item><term>24-31</term><description>number of ids</description></item>
/// <item><term>32-39</term><description>number of documents</description></item>
/// <item><term>40-47</term><description>bytes of the documents' text in UTF-8</description></item>
/// <item><term>48-63</term><description>hash of the tokenizer</description></item>
/// <item><term>64-127</term><description>zero</description></item>
/// </list>
/// </remarks>
public sealed class TokenFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly TokenFileHeader _header;

    private TokenFile(string path, FileStream stream)
    {
        FullPath = Path.GetFullPath(path);
        byte[] head = new byte[TokenFileHeader.Length];
        int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        _header = TokenFileHeader.Parse(head.AsSpan(0, read), stream.Length, path);
        _stream = stream;
    }

    /// <summary>The absolute path of the file.</summary>
    public string FullPath { get; }

    /// <summary>Number of ids.</summary>
    public long Count => _header.Count;

    /// <summary>Number of documents.</summary>
    public long Documents => _header.Documents;

    /// <summary>Bytes of the documents' text in UTF-8, for bits per byte.</summary>
    public long TextBytes => _header.TextBytes;

    /// <summary>Every id is below this.</summary>
    public int VocabularySize => _header.VocabularySize;

    /// <summary>What <see cref="Tokenizers.TokenizerHash.Of"/> says of the tokenizer that the ids are of.</summary>
    public string TokenizerHash => _header.TokenizerHash;

    /// <summary>The token that ends every document; null where there is none.</summary>
    public int? EosId => _header.EosId;

    /// <summary>Opens a file and checks its header against its length.</summary>
    /// <exception cref="WiscaException">The file is missing, no token file, damaged or cut short.</exception>
    public static TokenFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileStream? stream = null;
        try
        {
            PlainFile.Check(path);
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            return new TokenFile(path, stream);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            stream?.Dispose();
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "token files are made by wisca tokenize", exception);
        }
        catch
        {
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>Reads ids, as the 64-bit numbers that embeddings take.</summary>
    /// <param name="offset">The first id's index, from 0.</param>
    /// <param name="ids">Where they go; its length says how many.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not within the file.</exception>
    /// <exception cref="WiscaException">An id is not below the vocabulary's size: the file is damaged.</exception>
    public void Read(long offset, Span<long> ids)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Count - ids.Length);
        int length = checked(ids.Length * _header.BytesPerId);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        Fill(bytes.AsSpan(0, length), TokenFileHeader.Length + (offset * _header.BytesPerId));
        ulong largest = _header.BytesPerId == 2
            ? Widen(MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan(0, length)), MemoryMarshal.Cast<long, ulong>(ids))
            : Widen(MemoryMarshal.Cast<byte, uint>(bytes.AsSpan(0, length)), MemoryMarshal.Cast<long, ulong>(ids));
        ArrayPool<byte>.Shared.Return(bytes);
        if (ids.Length > 0 && largest >= (ulong)VocabularySize)
            throw new WiscaException(
                $"{FullPath}: id {largest} among those from {offset} to {offset + ids.Length - 1} is beyond the vocabulary of "
                + $"{VocabularySize}",
                "the file is damaged; make it anew with wisca tokenize");
    }

    /// <inheritdoc />
    public void Dispose() => _stream.Dispose();

    private void Fill(Span<byte> bytes, long from)
    {
        ObjectDisposedException.ThrowIf(_stream.SafeFileHandle.IsClosed, this);
        while (bytes.Length > 0)
        {
            int read = RandomAccess.Read(_stream.SafeFileHandle, bytes, from);
            if (read == 0)
                throw new WiscaException(
                    $"{FullPath}: the file shrank while it was read", "another program is writing it; make it anew with wisca tokenize");
            from += read;
            bytes = bytes[read..];
        }
    }

    /// <returns>The largest id.</returns>
    private static ulong Widen(ReadOnlySpan<ushort> source, Span<ulong> target)
    {
        var largest = Vector<ushort>.Zero;
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            var ids = new Vector<ushort>(source[i..]);
            largest = Vector.Max(largest, ids);
            Vector.Widen(ids, out var low, out var high);
            Store(low, target[i..]);
            Store(high, target[(i + Vector<uint>.Count)..]);
        }

        ulong most = 0;
        for (int lane = 0; lane < Vector<ushort>.Count; lane++) most = Math.Max(most, largest[lane]);
        for (; i < source.Length; i++) most = Math.Max(most, target[i] = source[i]);
        return most;
    }

    private static ulong Widen(ReadOnlySpan<uint> source, Span<ulong> target)
    {
        var largest = Vector<uint>.Zero;
        int i = 0;
        for (; i <= source.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            var ids = new Vector<uint>(source[i..]);
            largest = Vector.Max(largest, ids);
            Store(ids, target[i..]);
        }

        ulong most = 0;
        for (int lane = 0; lane < Vector<uint>.Count; lane++) most = Math.Max(most, largest[lane]);
        for (; i < source.Length; i++) most = Math.Max(most, target[i] = source[i]);
        return most;
    }

    private static void Store(Vector<uint> ids, Span<ulong> target)
    {
        Vector.Widen(ids, out var low, out var high);
        low.CopyTo(target);
        high.CopyTo(target[Vector<ulong>.Count..]);
    }
}

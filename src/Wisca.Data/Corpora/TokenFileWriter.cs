using System.Buffers.Binary;
using Wisca.Data.Tokenizers;
using Wisca.Files;

namespace Wisca.Data.Corpora;

/// <summary>Writes a <see cref="TokenFile"/>, document by document.
/// The file appears under its name when <see cref="Commit()"/> is called.</summary>
internal sealed class TokenFileWriter : IDisposable
{
    private readonly AtomicFile _file;
    private readonly string _path, _tokenizerHash;
    private readonly int _vocabularySize, _width;
    private readonly int? _eosId;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _buffered;
    private long _textBytes;
    private bool _committed;

    private TokenFileWriter(AtomicFile file, string path, int vocabularySize, string tokenizerHash, int? eosId)
    {
        _file = file;
        _path = path;
        _vocabularySize = vocabularySize;
        _tokenizerHash = tokenizerHash;
        _eosId = eosId;
        _width = TokenFileHeader.WidthFor(vocabularySize);
        _buffered = TokenFileHeader.Length; // the header's place; its numbers are known at the end
    }

    /// <summary>Number of ids so far.</summary>
    public long Count { get; private set; }

    /// <summary>Number of documents so far.</summary>
    public long Documents { get; private set; }

    /// <summary>Bytes of the documents' text so far.</summary>
    public long TextBytes => _textBytes;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Where it will be.</param>
    /// <param name="vocabularySize">Every id is below this; up to 65,536 an id takes two bytes, otherwise four.</param>
    /// <param name="tokenizerHash">What <see cref="TokenizerHash.Of"/> says of the tokenizer: 32 hexadecimal digits.</param>
    /// <param name="eosId">The token that ends every document; null where there is none.</param>
    /// <param name="force">Whether to replace a token file that is there; another file is never replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static TokenFileWriter Create(string path, int vocabularySize, string tokenizerHash, int? eosId, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        ArgumentNullException.ThrowIfNull(tokenizerHash);
        if (tokenizerHash.Length != 32 || !tokenizerHash.All(char.IsAsciiHexDigit))
            throw new ArgumentException("expected 32 hexadecimal digits", nameof(tokenizerHash));
        if (eosId is { } eos) ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)eos, (uint)vocabularySize, nameof(eosId));
        if (force && File.Exists(path)) TokenFile.Open(path).Dispose();
        return new TokenFileWriter(OutputFile.Create(path, force), path, vocabularySize, tokenizerHash, eosId);
    }

    /// <summary>Adds a document.</summary>
    /// <param name="ids">Its ids, with the one that ends it; at least one.</param>
    /// <param name="textBytes">Bytes of its text in UTF-8; 0 where there is none.</param>
    /// <exception cref="WiscaException">An id is not below the vocabulary's size, or the disk is full.</exception>
    public void Append(ReadOnlySpan<int> ids, long textBytes = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(textBytes);
        if (ids.IsEmpty) throw new ArgumentException("a document has at least one id", nameof(ids));
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)_vocabularySize)
                throw new WiscaException(
                    $"id {id} of document {Documents} is beyond the vocabulary of {_vocabularySize}",
                    "do the ids come from this tokenizer?");
            if (_buffered == _buffer.Length) Flush();
            if (_width == 2) BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(_buffered), (ushort)id);
            else BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(_buffered), id);
            _buffered += _width;
        }

        Count += ids.Length;
        Documents++;
        _textBytes += textBytes;
    }

    /// <summary>Writes the header and puts the file in its place.</summary>
    /// <exception cref="WiscaException">The disk is full, or the place was taken meanwhile.</exception>
    public void Commit() => Commit([this]);

    /// <summary>Writes the headers of files that belong together, and puts them in their places, never one beside an old one.</summary>
    /// <param name="files">The files.</param>
    /// <exception cref="WiscaException">As for one.</exception>
    public static void Commit(IReadOnlyList<TokenFileWriter> files)
    {
        foreach (var file in files) file.Finish();
        files[^1].Attempt(() => AtomicFile.CommitTogether([.. files.Select(file => file._file)]));
    }

    /// <summary>Clears away what was written, unless it was committed.</summary>
    public void Dispose() => _file.Dispose();

    private void Finish()
    {
        if (_committed) throw new InvalidOperationException("the file is committed already");
        _committed = true;
        Flush();
        byte[] header = new byte[TokenFileHeader.Length];
        new TokenFileHeader(_width, _vocabularySize, _tokenizerHash, _eosId, Count, Documents, TextBytes).Write(header);
        Attempt(() =>
        {
            _file.Stream.Position = 0;
            _file.Stream.Write(header);
        });
    }

    private void Flush()
    {
        Attempt(() => _file.Stream.Write(_buffer.AsSpan(0, _buffered)));
        _buffered = 0;
    }

    private void Attempt(Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"output {_path} cannot be written: {exception.Message}", "is the disk full?", exception);
        }
    }
}

using System.IO.Compression;

namespace Wisca.Data.Corpora.Reading.Packing;

/// <summary>
/// Decompresses gzip and notices when the data ends early. <see cref="GZipStream"/> by itself takes a file that was cut short for a whole
/// one: so a last member of known content is put behind the file's own, and has to come out as it went in.
/// </summary>
internal sealed class GzipReadStream : ForwardStream
{
    private static readonly byte[] Seal = "\0the end of wisca's gzip stream, the end of wisca's gzip stream\0"u8.ToArray();
    private static readonly byte[] SealMember = Compress(Seal);

    private readonly GZipStream _stream;
    private readonly byte[] _buffer = new byte[1 << 17];
    private int _start, _end;
    private bool _ended;

    public GzipReadStream(Stream compressed) => _stream = new GZipStream(new SealedStream(compressed), CompressionMode.Decompress);

    public override int Read(Span<byte> buffer)
    {
        // What may be the seal is held back until more has come.
        while (_end - _start <= Seal.Length && !_ended)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            int read = _stream.Read(_buffer.AsSpan(_end));
            _end += read;
            _ended = read == 0;
        }

        if (_ended)
        {
            if (!_buffer.AsSpan(_start.._end).SequenceEqual(Seal))
                throw new InvalidDataException("the gzip stream was cut short, or something follows its end");
            return 0;
        }

        int length = Math.Min(buffer.Length, _end - _start - Seal.Length);
        _buffer.AsSpan(_start, length).CopyTo(buffer);
        _start += length;
        return length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _stream.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] Compress(byte[] content)
    {
        using var target = new MemoryStream();
        using (var stream = new GZipStream(target, CompressionLevel.Optimal)) stream.Write(content);
        return target.ToArray();
    }

    /// <summary>A stream with the sealing member behind it.</summary>
    private sealed class SealedStream(Stream inner) : ForwardStream
    {
        private int _sealRead;

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            if (read > 0 || buffer.Length == 0) return read;
            read = Math.Min(buffer.Length, SealMember.Length - _sealRead);
            SealMember.AsSpan(_sealRead, read).CopyTo(buffer);
            _sealRead += read;
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}

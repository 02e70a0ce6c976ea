using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Wisca.Data.Corpora.Reading.Packing;

/// <summary>Decompresses zstd: any number of frames, those among them that are to be skipped, and windows of up to 2 GiB.</summary>
internal sealed class ZstdReadStream : ForwardStream
{
    // The longest window, as its binary logarithm: that of zstd --long=31, the most that the format's tools write.
    private const int WindowLog = 31;

    private readonly Decompressor _decompressor = new();
    private readonly DecompressionStream _stream;

    public ZstdReadStream(Stream compressed)
    {
        _decompressor.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, WindowLog);
        _stream = new DecompressionStream(new NotEmptyStream(compressed), _decompressor, bufferSize: 1 << 17, leaveOpen: false);
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return _stream.Read(buffer);
        }
        catch (ZstdException exception) when (exception.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw new NotSupportedException(
                "its zstd frames refer back further than 2 GiB; compress it anew without --long, or decompress it",
                exception);
        }
        catch (Exception exception) when (exception is ZstdException or EndOfStreamException)
        {
            throw new InvalidDataException("the zstd stream is damaged or was cut short", exception);
        }
        catch (OutOfMemoryException exception)
        {
            throw new NotSupportedException("there is not enough memory for what its zstd frames refer back to", exception);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stream.Dispose();
            _decompressor.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>A stream that has at least a byte: no frame at all is a file that was cut short.</summary>
    private sealed class NotEmptyStream(Stream inner) : ForwardStream
    {
        private bool _begun;

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            if (read == 0 && !_begun && buffer.Length > 0) throw new EndOfStreamException();
            _begun = true;
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}

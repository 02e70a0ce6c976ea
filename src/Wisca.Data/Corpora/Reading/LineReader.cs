using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The lines of a file as bytes, through a buffer that grows to the longest of them.</summary>
internal sealed class LineReader : IDisposable
{
    /// <summary>The longest line and the longest document: what still fits into a string.</summary>
    public const int MostBytes = 1_000_000_000;

    private readonly CorpusFile _file;
    private readonly FileStream _stored;
    private readonly Stream _stream;
    private byte[] _buffer = new byte[1 << 17];
    private int _start, _end;
    private bool _ended;

    private LineReader(CorpusFile file, FileStream stored)
    {
        _file = file;
        _stored = stored;
        _stream = file.Compressed ? new GzipReadStream(stored) : stored;
    }

    /// <summary>The number of the line that was read last, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Bytes of the file that were read so far, as stored.</summary>
    public long Position => _stored.Position;

    public static LineReader Open(CorpusFile file)
    {
        try
        {
            var reader = new LineReader(
                file,
                new FileStream(file.FullPath, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan));
            reader.SkipByteOrderMark();
            return reader;
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{file.Path} {FileFailure.Reason(file.Path, exception)}", "check the path and its permissions", exception);
        }
    }

    /// <summary>Reads the next line, with its line break.</summary>
    /// <param name="line">Valid until the next call.</param>
    /// <returns>False at the end of the file.</returns>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        int searched = 0;
        while (true)
        {
            int lineBreak = _buffer.AsSpan((_start + searched).._end).IndexOf((byte)'\n');
            int length = lineBreak >= 0 ? searched + lineBreak + 1 : _end - _start;
            if (lineBreak >= 0 || (_ended && length > 0))
            {
                line = _buffer.AsSpan(_start, length);
                _start += length;
                Line++;
                return true;
            }

            searched = length;
            line = default;
            if (_ended) return false;
            Fill();
        }
    }

    /// <summary>A line without its line break.</summary>
    public static ReadOnlySpan<byte> WithoutBreak(ReadOnlySpan<byte> line)
    {
        if (line.EndsWith("\n"u8)) line = line[..^1];
        return line.EndsWith("\r"u8) ? line[..^1] : line;
    }

    public void Dispose() => _stream.Dispose();

    private void SkipByteOrderMark()
    {
        while (!_ended && _end < 3) Fill();
        if (_buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8)) _start = 3;
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end > MostBytes)
            throw new WiscaException(
                $"{_file.Path}:{Line + 1}: the line is longer than {MostBytes / 1_000_000} MB",
                "break the text into lines and documents");
        if (_end == _buffer.Length) Array.Resize(ref _buffer, (int)Math.Min(2L * _buffer.Length, MostBytes + (1L << 20)));
        try
        {
            int read = _stream.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            _ended = read == 0;
        }
        catch (InvalidDataException exception)
        {
            throw new WiscaException(
                $"{_file.Path}:{Line + 1}: the compressed data is damaged or was cut short", "test it with gzip -t, and get the file again",
                exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{_file.Path} {FileFailure.Reason(_file.Path, exception)}", "check the path and its permissions", exception);
        }
    }
}

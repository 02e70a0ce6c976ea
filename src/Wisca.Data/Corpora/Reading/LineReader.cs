using Wisca.Data.Corpora.Reading.Packing;
using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The lines of a file as bytes, through a buffer that grows to the longest of them.</summary>
internal sealed class LineReader : IDisposable
{
    /// <summary>The longest line and the longest document: what still fits into a string.</summary>
    public const int MostBytes = 1_000_000_000;

    private readonly string _name;
    private readonly PackedFile _file;
    private byte[] _buffer = new byte[1 << 17];
    private int _start, _end;
    private bool _ended;

    private LineReader(string name, PackedFile file) => (_name, _file) = (name, file);

    /// <summary>The number of the line that was read last, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Bytes of the file that were read so far, as stored.</summary>
    public long Position => _file.Position;

    /// <summary>Opens a file of lines of text; what is plainly something else is refused by name.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="path">Where it is.</param>
    public static LineReader Open(string name, string path)
    {
        LineReader? reader = null;
        try
        {
            reader = new LineReader(name, PackedFile.Open(path));
            reader.Begin();
            return reader;
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            reader?.Dispose();
            throw new WiscaException($"{name} {FileFailure.Reason(name, exception)}", "check the path and its permissions", exception);
        }
        catch
        {
            reader?.Dispose();
            throw;
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

    /// <summary>All that is left, from the line that would be read next.</summary>
    public ReadOnlyMemory<byte> ReadRest()
    {
        while (!_ended) Fill();
        var rest = _buffer.AsMemory(_start.._end);
        _start = _end;
        return rest;
    }

    /// <summary>The first byte that is not white space; null where there is none. Nothing is read by that.</summary>
    public byte? PeekFirst()
    {
        while (true)
        {
            int found = _buffer.AsSpan(_start.._end).IndexOfAnyExcept(" \t\r\n"u8);
            if (found >= 0) return _buffer[_start + found];
            if (_ended) return null;
            Fill();
        }
    }

    public void Dispose() => _file.Dispose();

    private void Begin()
    {
        while (!_ended && _end < ForeignContent.HeadLength) Fill();
        var head = _buffer.AsSpan(0, _end);
        if (ForeignContent.Of(head) is var (what, hint))
        {
            string inside = _file.Packing is { } packing ? $", inside of {packing}" : "";
            throw new WiscaException($"{_name} {what}{inside}, which is not read", hint);
        }

        if (head.StartsWith("\uFEFF"u8)) _start = 3;
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
                $"{_name}:{Line + 1}: the line is longer than {MostBytes / 1_000_000} MB",
                "break the text into lines and documents");
        if (_end == _buffer.Length) Array.Resize(ref _buffer, (int)Math.Min(2L * _buffer.Length, MostBytes + (1L << 20)));
        try
        {
            int read = _file.Content.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            _ended = read == 0;
        }
        catch (InvalidDataException exception)
        {
            throw new WiscaException(
                $"{_name}:{Line + 1}: the compressed data is damaged or was cut short",
                $"test it with {_file.Packing} -t, and get the file again",
                exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{_name} {FileFailure.Reason(_name, exception)}", "check the path and its permissions", exception);
        }
    }
}

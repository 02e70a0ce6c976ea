namespace Wisca.Safetensors;

/// <summary>
/// Writes a safetensors file front to back without holding more than the caller's buffer: the header is known first, then each
/// tensor's bytes follow in the header's order.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly SafetensorsHeader _header;
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private long _written;

    /// <summary>Creates the file, which must not exist, and writes its header.</summary>
    /// <param name="path">The file to create.</param>
    /// <param name="header">What will be written; see <see cref="SafetensorsHeader.Create"/>.</param>
    public SafetensorsWriter(string path, SafetensorsHeader header)
        : this(Open(path, header), header) =>
        _leaveOpen = false;

    /// <summary>Writes a header to a stream, which is left open.</summary>
    /// <param name="stream">What is written to, from where it stands.</param>
    /// <param name="header">What will be written; see <see cref="SafetensorsHeader.Create"/>.</param>
    public SafetensorsWriter(Stream stream, SafetensorsHeader header)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(header);
        (_stream, _header, _leaveOpen) = (stream, header, true);
        _stream.Write(header.ToBytes());
    }

    /// <summary>Appends bytes; tensors follow each other in the header's order, in pieces of any size.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (_written + bytes.Length > _header.DataLength) throw new InvalidOperationException("more bytes than the header declares");
        _stream.Write(bytes);
        _written += bytes.Length;
    }

    /// <summary>Checks that every tensor was written, and closes the file where it was created here.</summary>
    public void Complete()
    {
        if (_written != _header.DataLength) throw new InvalidOperationException($"{_written} of {_header.DataLength} bytes were written");
        Dispose();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_leaveOpen) _stream.Dispose();
    }

    private static FileStream Open(string path, SafetensorsHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
    }
}

using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;
using Wisca.Files;

namespace Wisca.Safetensors;

/// <summary>
/// A safetensors file opened for reading. The tensors' bytes are memory-mapped: reading costs no managed memory, and the kernel
/// may drop the pages again.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _start;
    private bool _disposed;

    private SafetensorsFile(string path, SafetensorsHeader header, SafeFileHandle handle, long headerLength, long length)
    {
        FullPath = path;
        Header = header;
        Handle = handle;
        DataOffset = 8 + headerLength;
        Length = length;
        if (length == DataOffset) return;
        _map = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    /// <summary>The path the file was opened by.</summary>
    public string FullPath { get; }

    /// <summary>What the file holds.</summary>
    public SafetensorsHeader Header { get; }

    /// <summary>Length of the file in bytes.</summary>
    public long Length { get; }

    /// <summary>Where the data section begins in the file: 8 bytes and the header.</summary>
    public long DataOffset { get; }

    /// <summary>The open file, for copies by the kernel.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>Opens a file and checks its header against its length.</summary>
    /// <exception cref="WiscaException">The file is missing, unreadable or breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            return OpenChecked(path);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "check the path and its permissions", exception);
        }
    }

    /// <summary>A part of a tensor's bytes; valid until the file is disposed.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="length">Number of bytes.</param>
    public ReadOnlySpan<byte> Bytes(TensorInfo tensor, long offset, int length)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, tensor.ByteLength - length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tensor.End, Length - DataOffset, nameof(tensor));
        return length == 0 ? [] : new ReadOnlySpan<byte>(_start + DataOffset + tensor.Begin + offset, length);
    }

    /// <summary>
    /// Copies a part of a tensor's bytes. A stream of these is several times faster than touching mapped pages for the first time, and a
    /// file that is cut short meanwhile is an error instead of a fault.
    /// </summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="target">Where the bytes go; its length says how many.</param>
    /// <exception cref="WiscaException">The file ended early.</exception>
    public void Read(TensorInfo tensor, long offset, Span<byte> target)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, tensor.ByteLength - target.Length);
        for (long from = DataOffset + tensor.Begin + offset; target.Length > 0;)
        {
            int read = RandomAccess.Read(Handle, target, from);
            if (read == 0)
                throw new WiscaException(
                    $"{Path.GetFileName(FullPath)}: the file shrank while it was read",
                    "is another program writing it?");
            from += read;
            target = target[read..];
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_view is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map!.Dispose();
        }

        Handle.Dispose();
    }

    private static SafetensorsFile OpenChecked(string path)
    {
        string name = Path.GetFileName(path);
        var handle = File.OpenHandle(path);
        try
        {
            long length = RandomAccess.GetLength(handle);
            Span<byte> prefix = stackalloc byte[8];
            if (length < 8 || RandomAccess.Read(handle, prefix, 0) != 8)
            {
                throw new WiscaException(
                    $"{name}: {length} bytes are too few for a safetensors file", "the file was cut short, or its download did not finish");
            }

            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (headerLength > SafetensorsHeader.MaxLength)
            {
                throw new WiscaException(
                    $"{name}: the header claims {headerLength} bytes, the format allows {SafetensorsHeader.MaxLength}",
                    prefix.StartsWith("version "u8)
                        ? "this is a Git LFS pointer: run 'git lfs pull' to get the weights"
                        : "is this a safetensors file?");
            }

            if ((long)headerLength > length - 8)
            {
                throw new WiscaException(
                    $"{name}: the header claims {headerLength} bytes, but the file has {length - 8} after the length",
                    "the file was cut short, or its download did not finish");
            }

            byte[] json = new byte[headerLength];
            int read = 0;
            while (read < json.Length)
            {
                int count = RandomAccess.Read(handle, json.AsSpan(read), 8 + read);
                if (count == 0) throw new WiscaException($"{name}: the file shrank while it was read", "is another program writing it?");
                read += count;
            }

            var header = SafetensorsHeader.Parse(json, length - 8 - json.Length, name);
            return new SafetensorsFile(path, header, handle, json.Length, length);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }
}

using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Wisca.Files;

namespace Wisca.Safetensors;

/// <summary>
/// A safetensors file opened for reading. Bytes are read in pieces and never mapped: of a file that another program cuts short, a mapping
/// would end the process where a read is an error.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly DateTime _written;

    private SafetensorsFile(string path, SafetensorsHeader header, SafeFileHandle handle, long headerLength, long length)
    {
        FullPath = path;
        Header = header;
        Handle = handle;
        DataOffset = 8 + headerLength;
        Length = length;
        _written = File.GetLastWriteTimeUtc(handle);
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

    /// <summary>A copy of a part of a tensor's bytes.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="length">Number of bytes.</param>
    /// <exception cref="WiscaException">The file ended early.</exception>
    public byte[] Bytes(TensorInfo tensor, long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        byte[] bytes = new byte[length];
        Read(tensor, offset, bytes);
        return bytes;
    }

    /// <summary>Copies a part of a tensor's bytes.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="target">Where the bytes go; its length says how many.</param>
    /// <exception cref="WiscaException">The file ended early.</exception>
    public void Read(TensorInfo tensor, long offset, Span<byte> target)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, tensor.ByteLength - target.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tensor.End, Length - DataOffset, nameof(tensor));
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
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

    /// <summary>
    /// Makes sure that what was read is one file: not the beginning of what was there and the end of what another program wrote meanwhile.
    /// One that was replaced by another of its name is still the one that was opened.
    /// </summary>
    /// <exception cref="WiscaException">The file was changed since it was opened.</exception>
    public void CheckUnchanged()
    {
        if (RandomAccess.GetLength(Handle) == Length && File.GetLastWriteTimeUtc(Handle) == _written) return;
        throw new WiscaException(
            $"{Path.GetFileName(FullPath)} was changed while it was read", "another program is writing it; run again when it is done");
    }

    /// <inheritdoc />
    public void Dispose() => Handle.Dispose();

    private static SafetensorsFile OpenChecked(string path)
    {
        string name = Path.GetFileName(path);
        PlainFile.Check(path);
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

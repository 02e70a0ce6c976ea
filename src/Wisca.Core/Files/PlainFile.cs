using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Wisca.Files;

/// <summary>
/// A file that somebody else made: it is read only where it is a file of bytes. A link would lead to what its maker may not see, a pipe
/// would be waited for without end.
/// </summary>
public static partial class PlainFile
{
    private const string NotBytes = "it is a pipe or a device, expected a plain file";

    // What opening a socket fails with: ENXIO, and elsewhere EOPNOTSUPP.
    private const int NoSuchDevice = 6, NotSupported = 102;

    // O_NONBLOCK | O_CLOEXEC: without waiting for a writer.
    private static int Flags => OperatingSystem.IsLinux() ? 0x800 | 0x80000 : 0x4 | 0x1000000;

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">It is missing, a link, a folder, a pipe or a device, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be read.</exception>
    public static FileStream Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (new FileInfo(path).LinkTarget is not null) throw new IOException("it is a link, expected a plain file");
        if (Directory.Exists(path)) throw new IOException("it is a folder, expected a plain file");
        if (OperatingSystem.IsWindows()) return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);

        var handle = new SafeFileHandle(OpenDescriptor(path, Flags), ownsHandle: true);
        if (handle.IsInvalid)
        {
            // .NET's own way of failing says why.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }

        var stream = new FileStream(handle, FileAccess.Read);
        if (HoldsBytes(stream)) return stream;
        stream.Dispose();
        throw new IOException(NotBytes);
    }

    /// <summary>
    /// Refuses what is no file of bytes, through links, before it is opened in a way that might wait without end. What is not there, or
    /// must not be read, is left to whoever opens it.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">It is a pipe, a socket or a device.</exception>
    public static void Check(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (IsSpecial(path)) throw new IOException(NotBytes);
    }

    /// <summary>True for a pipe, a socket or a device, and for a link to one.</summary>
    internal static bool IsSpecial(string path)
    {
        if (OperatingSystem.IsWindows() || Directory.Exists(path)) return false;
        using var handle = new SafeFileHandle(OpenDescriptor(path, Flags), ownsHandle: true);
        if (handle.IsInvalid) return Marshal.GetLastPInvokeError() is NoSuchDevice or NotSupported;
        using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        return !HoldsBytes(stream);
    }

    /// <summary>A pipe cannot seek; a device has no length, and yet bytes.</summary>
    private static bool HoldsBytes(FileStream stream)
    {
        if (!stream.CanSeek) return false;
        if (stream.Length > 0) return true;
        bool empty = stream.ReadByte() < 0 || stream.Length > 0;
        stream.Position = 0;
        return empty;
    }

    /// <summary>Reads a file whole.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">As for <see cref="Open"/>, or it is over 2 GB.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be read.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        using var stream = Open(path);
        if (stream.Length > Array.MaxLength) throw new IOException($"it has {stream.Length} bytes, expected at most {Array.MaxLength}");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int OpenDescriptor(string path, int flags);
}

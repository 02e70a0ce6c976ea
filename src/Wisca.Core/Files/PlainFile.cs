using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Wisca.Files;

/// <summary>
/// A file that somebody else made: it is read only where it is a file of bytes. A link would lead to what its maker may not see, a pipe
/// would be waited for without end.
/// </summary>
public static partial class PlainFile
{
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

        // Without waiting for a writer; what cannot seek is no file.
        int flags = OperatingSystem.IsLinux() ? 0x800 | 0x80000 : 0x4 | 0x1000000; // O_NONBLOCK | O_CLOEXEC
        var handle = new SafeFileHandle(OpenDescriptor(path, flags), ownsHandle: true);
        if (handle.IsInvalid)
        {
            // .NET's own way of failing says why.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }

        var stream = new FileStream(handle, FileAccess.Read);
        if (stream.CanSeek) return stream;
        stream.Dispose();
        throw new IOException("it is a pipe or a device, expected a plain file");
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

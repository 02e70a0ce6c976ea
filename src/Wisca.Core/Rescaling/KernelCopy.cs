using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Wisca.Rescaling;

/// <summary>Copies ranges between files, inside the kernel where it can: untouched weights never pass through this process.</summary>
internal static unsafe partial class KernelCopy
{
    private const int BufferSize = 1 << 20;
    private static volatile bool _unavailable = !OperatingSystem.IsLinux();

    /// <summary>Copies <paramref name="length"/> bytes to the same offset of another file.</summary>
    /// <exception cref="IOException">The source ended early, or the target cannot be written.</exception>
    public static void Copy(SafeFileHandle source, SafeFileHandle target, long sourceOffset, long targetOffset, long length)
    {
        while (length > 0 && !_unavailable)
        {
            nint copied = CopyFileRange(source, &sourceOffset, target, &targetOffset, (nuint)length, 0);
            if (copied < 0)
            {
                const int interrupted = 4, noSpace = 28;
                int error = Marshal.GetLastPInvokeError();
                if (error == interrupted) continue;
                if (error == noSpace) throw new IOException("no space left on the device");

                // Old kernels, some network and overlay file systems: read and write instead.
                _unavailable = true;
                break;
            }

            if (copied == 0) throw new IOException("the file ended early: it was changed while it was read");
            length -= copied;
        }

        if (length > 0) CopyThroughMemory(source, target, sourceOffset, targetOffset, length);
    }

    private static void CopyThroughMemory(SafeFileHandle source, SafeFileHandle target, long sourceOffset, long targetOffset, long length)
    {
        byte[] buffer = new byte[(int)Math.Min(BufferSize, length)];
        while (length > 0)
        {
            int read = RandomAccess.Read(source, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length)), sourceOffset);
            if (read == 0) throw new IOException("the file ended early: it was changed while it was read");
            RandomAccess.Write(target, buffer.AsSpan(0, read), targetOffset);
            sourceOffset += read;
            targetOffset += read;
            length -= read;
        }
    }

    // The kernel advances both offsets by what it copied.
    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyFileRange(
        SafeFileHandle source, long* sourceOffset, SafeFileHandle target, long* targetOffset, nuint length, uint flags);
}

using System.Runtime.InteropServices;

namespace Wisca.Training.Checkpointing;

/// <summary>Brings files to the disk, so that a rename that follows never shows a name without its content,
/// not even after a power cut.</summary>
internal static partial class DurableFiles
{
    /// <summary>Flushes all files below a folder, and the folders.</summary>
    /// <exception cref="IOException">The system could not write a file to the disk.</exception>
    public static void Flush(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            if (OperatingSystem.IsWindows())
            {
                using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                RandomAccess.FlushToDisk(handle);
            }
            else if (!TryFlush(file))
            {
                throw new IOException($"{file} could not be brought to the disk: {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }

        foreach (string below in Directory.EnumerateDirectories(folder)) Flush(below);
        FlushEntries(folder);
    }

    /// <summary>Flushes a folder's own entries: what names it holds. Not every file system can, and Windows does so by itself.</summary>
    public static void FlushEntries(string folder)
    {
        if (!OperatingSystem.IsWindows()) TryFlush(folder);
    }

    /// <summary>Replaces a file in one step.</summary>
    public static void Replace(string path, byte[] content)
    {
        string staged = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.partial");
        using (var stream = new FileStream(staged, FileMode.Create, FileAccess.Write))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(staged, path, overwrite: true);
        FlushEntries(Path.GetDirectoryName(path)!);
    }

    /// <summary>Flushes through a descriptor that only reads,
    /// since a copy of a file that must not be written keeps its permissions.</summary>
    private static bool TryFlush(string path)
    {
        const int readOnly = 0;
        int descriptor = Open(path, readOnly);
        if (descriptor < 0) return false;
        bool flushed = Flush(descriptor) == 0;
        int error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        Marshal.SetLastPInvokeError(error);
        return flushed;
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}

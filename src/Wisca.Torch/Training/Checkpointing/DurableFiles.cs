using System.Runtime.InteropServices;

namespace Wisca.Training;

/// <summary>Brings files to the disk, so that a rename that follows never shows a name without its content, not even after a power cut.</summary>
internal static partial class DurableFiles
{
    /// <summary>Flushes all files below a folder, and the folders.</summary>
    public static void Flush(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(handle);
        }

        foreach (string below in Directory.EnumerateDirectories(folder)) Flush(below);
        FlushEntries(folder);
    }

    /// <summary>Flushes a folder's own entries: what names it holds.</summary>
    public static void FlushEntries(string folder)
    {
        // Windows keeps its folders in order by itself; there is no call for it.
        if (OperatingSystem.IsWindows()) return;
        const int readOnly = 0;
        int descriptor = Open(folder, readOnly);
        if (descriptor < 0) return;
        _ = Flush(descriptor);
        _ = Close(descriptor);
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

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}

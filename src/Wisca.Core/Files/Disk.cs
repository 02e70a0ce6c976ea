using System.Runtime.InteropServices;

namespace Wisca.Files;

/// <summary>
/// The steps whose order decides what a power cut leaves. They stand here and nowhere else, so that a test can record them, or be a
/// system that lacks one.
/// </summary>
internal partial class Disk
{
    private static readonly Disk System = new();
    private static readonly AsyncLocal<Disk?> Substitute = new();

    /// <summary>The file system of the caller and of what it starts: the system's, unless a test put another in its place.</summary>
    public static Disk Default
    {
        get => Substitute.Value ?? System;
        set => Substitute.Value = value;
    }

    /// <summary>What tells one writer's working name from another's: 32 hexadecimal digits.</summary>
    public virtual string NewId() => Guid.NewGuid().ToString("N");

    /// <summary>Flushes a file that is being written.</summary>
    public virtual void Flush(FileStream stream) => stream.Flush(flushToDisk: true);

    /// <summary>Flushes a file that is written and closed.</summary>
    /// <exception cref="IOException">The system could not bring it to the disk.</exception>
    public virtual void FlushFile(string path)
    {
        bool windows = OperatingSystem.IsWindows();

        // Windows flushes only what it may write to, and a copy of a file that must not be written keeps its attribute.
        if (windows && File.GetAttributes(path).HasFlag(FileAttributes.ReadOnly)) return;
        using var handle = File.OpenHandle(
            path, FileMode.Open, windows ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(handle);
    }

    /// <summary>Flushes what names a folder holds. Not every file system can; Windows does so by itself.</summary>
    /// <exception cref="IOException">The disk failed, or is full.</exception>
    public virtual void FlushFolder(string path)
    {
        const int readOnly = 0, interrupted = 4, failed = 5, noSpace = 28;
        if (OperatingSystem.IsWindows()) return;
        int descriptor = Open(path, readOnly);
        if (descriptor < 0) return;
        int result, error;
        do
        {
            result = Synchronize(descriptor);
            error = Marshal.GetLastPInvokeError();
        }
        while (result != 0 && error == interrupted);
        _ = Close(descriptor);
        if (result != 0 && error is failed or noSpace)
            throw new IOException($"the folder {path} could not be brought to the disk: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>Flushes every file below a folder and then the folder that holds it; what links lead to is not the folder's own.</summary>
    /// <exception cref="IOException">The system could not bring something to the disk.</exception>
    public void FlushAll(string folder)
    {
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos())
        {
            if (entry.LinkTarget is not null) continue;
            if (entry is DirectoryInfo) FlushAll(entry.FullName);
            else FlushFile(entry.FullName);
        }

        FlushFolder(folder);
    }

    /// <summary>Makes a folder and those above it, as far as they are missing, and flushes their names.</summary>
    public void CreateFolder(string path)
    {
        if (Directory.Exists(path)) return;
        string parent = WorkingName.FolderOf(path);
        if (parent != path) CreateFolder(parent);
        Directory.CreateDirectory(path);
        FlushFolder(parent);
    }

    public virtual void MoveFile(string from, string to, bool replace)
    {
        // What .NET does without replacing is a link and an unlink, or a copy where there are no links: not one step.
        const uint noReplace = 1;
        if (replace || !TryRename(from, to, noReplace)) File.Move(from, to, replace);
    }

    public virtual void DeleteFile(string path) => File.Delete(path);

    public virtual void MoveFolder(string from, string to) => Directory.Move(from, to);

    /// <summary>Exchanges two folders in one step; false where the system cannot.</summary>
    public virtual bool TryExchange(string a, string b)
    {
        const uint exchange = 2;
        return TryRename(a, b, exchange);
    }

    /// <summary>Removes a folder where there is one. What cannot be removed stays for the next writer: no result depends on it.</summary>
    public virtual void TryDeleteFolder(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // As the summary says.
        }
    }

    private static bool TryRename(string from, string to, uint flags)
    {
        const int currentFolder = -100;
        try
        {
            return OperatingSystem.IsLinux() && RenameAt2(currentFolder, from, currentFolder, to, flags) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before 2018.
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int RenameAt2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}

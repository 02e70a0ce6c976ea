using System.Text;

namespace Wisca.Files;

/// <summary>
/// A file that appears whole or not at all. It is written beside its place as <c>.NAME.ID.wisca-partial</c>; <see cref="Commit"/> flushes
/// it to the disk, renames it, and flushes the folder it is in. Disposal without commit removes it.
/// </summary>
/// <remarks>
/// <para>
/// Where the process is killed or the power fails before <see cref="Commit"/> returns, the place holds what it held before or all of the
/// new file, never a part. After it has returned, it holds the new file. This is so on file systems whose rename is one step and whose
/// flush reaches the disk. Windows has no flush of a folder: there a power cut just after the commit may bring back what was there.
/// </para>
/// <para>
/// What a killed writer left is removed by the next one of the same file. A writer that is alive holds a lock on its working file, which
/// is left alone; on a network's drive, where such a lock may not hold, all are left.
/// </para>
/// <para>A link in the place is replaced, and what it leads to stays as it is.</para>
/// </remarks>
public sealed class AtomicFile : IDisposable
{
    private readonly string _place, _working;
    private readonly bool _replace;
    private readonly Disk _disk;
    private readonly FileStream _stream;
    private bool _moved;

    private AtomicFile(string place, bool replace, Disk disk)
    {
        (_place, _replace, _disk) = (place, replace, disk);
        (_working, _stream) = CreateWorkingFile(place, disk);
    }

    /// <summary>What is written; can seek, and is to be left open.</summary>
    public Stream Stream => _stream;

    /// <summary>Begins a file, and clears what killed writers of it left.</summary>
    /// <param name="path">Where it will be, in a folder that exists.</param>
    /// <param name="replace">Whether a file that is there at the end is replaced.</param>
    /// <exception cref="IOException">The file is there and may not be replaced, or the folder cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    public static AtomicFile Create(string path, bool replace = true) => CreateOn(Disk.Default, path, replace);

    /// <summary>Writes a file of bytes, and replaces one that is there.</summary>
    /// <param name="path">The file, in a folder that exists.</param>
    /// <param name="content">Its content.</param>
    /// <exception cref="IOException">It cannot be written; what was there is as it was, or all of the new is there.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        using var file = Create(path);
        file._stream.Write(content);
        file.Commit();
    }

    /// <summary>Writes a file of text in UTF-8 without a byte order mark, and replaces one that is there.</summary>
    /// <param name="path">The file, in a folder that exists.</param>
    /// <param name="content">Its content.</param>
    /// <exception cref="IOException">It cannot be written; what was there is as it was, or all of the new is there.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be written.</exception>
    public static void Write(string path, string content) => Write(path, Encoding.UTF8.GetBytes(content));

    /// <summary>Brings what was appended to a file, and its name, to the disk, where no writing in one step is possible.</summary>
    /// <param name="stream">The file, open for writing.</param>
    /// <exception cref="IOException">The disk is full or failed.</exception>
    public static void Flush(FileStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Disk.Default.Flush(stream);
        Disk.Default.FlushFolder(WorkingName.FolderOf(stream.Name));
    }

    /// <summary>
    /// Puts files in their places that mean something only together. What they replace goes first, the last one's before the others': at
    /// no moment, and after no power cut, does an old one lie beside a new one.
    /// </summary>
    /// <param name="files">The files in the order in which they appear: the one that makes the others look whole comes last.</param>
    /// <exception cref="IOException">As for <see cref="Commit"/>; some of the files may be in no version then.</exception>
    /// <exception cref="UnauthorizedAccessException">As for <see cref="Commit"/>.</exception>
    public static void CommitTogether(params IReadOnlyList<AtomicFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        foreach (var file in files) file._disk.Flush(file._stream);
        if (files.Count > 1)
        {
            foreach (var file in files.Reverse().Where(file => file._replace && File.Exists(file._place)))
            {
                file._disk.DeleteFile(file._place);
                file._disk.FlushFolder(WorkingName.FolderOf(file._place));
            }
        }

        foreach (var file in files) file.Commit();
    }

    /// <summary>Puts the file in its place.</summary>
    /// <exception cref="IOException">The disk is full or failed, or something is in the place that may not be replaced.</exception>
    /// <exception cref="UnauthorizedAccessException">What is in the place must not be replaced.</exception>
    public void Commit()
    {
        _disk.Flush(_stream);

        // While it is open, since without its lock another writer would take it for a leftover.
        _disk.MoveFile(_working, _place, _replace);
        _moved = true;
        _stream.Dispose();
        _disk.FlushFolder(WorkingName.FolderOf(_place));
    }

    /// <summary>Clears away what was not committed.</summary>
    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (IOException) when (!_moved)
        {
            // What was buffered found the disk full; it is not wanted any more.
        }

        if (!_moved) TryDelete(_working);
    }

    internal static AtomicFile CreateOn(Disk disk, string path, bool replace)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string place = Path.GetFullPath(path);
        if (!replace && File.Exists(place)) throw new IOException($"{path} exists");
        ClearLeftovers(WorkingName.FolderOf(place), place);
        return new AtomicFile(place, replace, disk);
    }

    /// <summary>Removes the working files of killed writers: those that nobody holds a lock on.</summary>
    internal static void ClearLeftovers(string parent, string? place)
    {
        foreach (var (working, _) in WorkingName.Find(parent, place))
        {
            if (working is not FileInfo || working.LinkTarget is not null) continue;
            if (IsOnNetwork(parent)) return;
            try
            {
                // The one lock that shares with no writer's; the name goes before the lock does.
                using var held = new FileStream(
                    working.FullName, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another writer holds it, or it is another user's: it stays.
            }
        }
    }

    private static bool IsOnNetwork(string folder) =>
        folder.StartsWith(@"\\", StringComparison.Ordinal) || new DriveInfo(folder).DriveType == DriveType.Network;

    private static (string Working, FileStream Stream) CreateWorkingFile(string place, Disk disk)
    {
        for (int attempt = 1; ; attempt++)
        {
            string working = WorkingName.New(place, disk);
            try
            {
                // Made anew, never through a link that someone put there. On Unix the lock is one that readers share: it is held over the
                // rename.
                var stream = new FileStream(working, FileMode.CreateNew, FileAccess.Write, FileShare.Delete, bufferSize: 1 << 16);
                if (File.Exists(working)) return (working, stream);
                stream.Dispose();
            }
            catch (IOException) when (attempt < 10)
            {
                // The name is taken, or as above another writer took it for a leftover between its making and its lock.
            }
        }
    }

    private static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next writer of the same file tries again.
        }
    }
}

namespace Wisca.Files;

/// <summary>
/// A folder that appears whole or not at all. It is filled in a working folder <c>.NAME.ID.wisca-partial</c> beside its place;
/// <see cref="Commit"/> flushes every file in it and the folder to the disk, renames it or exchanges it with what is in the place, and
/// flushes the folder it is in. What was replaced is removed last. Disposal without commit removes what was filled.
/// </summary>
/// <remarks>
/// <para>
/// Where the process is killed or the power fails before <see cref="Commit"/> returns, the place holds what it held before or all of the
/// new folder, never a part. After it has returned, it holds the new one. Where the system cannot exchange two folders in one step (done
/// on Linux, and not on every file system), a replacement takes two, and between them the place is empty: the next writer, or
/// <see cref="RecoverAll"/>, puts back what was there. Windows has no flush of a folder: there a power cut just after the commit may bring
/// back what was there.
/// </para>
/// <para>
/// What a killed writer left is removed by the next one of the same folder. A writer that is alive is known by a lock in its working
/// folder, which is left alone.
/// </para>
/// </remarks>
public sealed class AtomicFolder : IDisposable
{
    private const string LockName = "lock", NewName = "new", OldName = "old";
    private readonly string _place, _working;
    private readonly FileStream _lock;
    private readonly Disk _disk;

    private AtomicFolder(string place, Disk disk)
    {
        (_place, _disk) = (place, disk);
        (_working, _lock) = CreateWorkingFolder(place, disk);
    }

    /// <summary>Where the files are written until <see cref="Commit"/>.</summary>
    public string Staging => Path.Combine(_working, NewName);

    /// <summary>Begins a folder, and clears what killed writers of it left, as <see cref="RecoverAll"/> does.</summary>
    /// <param name="path">Where it will be, in a folder that exists.</param>
    /// <exception cref="IOException">The folder it is in cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder it is in must not be written.</exception>
    public static AtomicFolder Create(string path) => CreateOn(Disk.Default, path);

    /// <summary>
    /// Makes an empty folder, and those above it that are missing; their names reach the disk before what is put into them. One that is
    /// there stays as it is.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="IOException">It cannot be made, or a file has its name.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be made.</exception>
    public static void Ensure(string path) => Disk.Default.CreateFolder(PlaceOf(path));

    /// <summary>
    /// Clears what killed writers of any file or folder inside a folder left, and puts back what one of them had moved away to replace it.
    /// </summary>
    /// <param name="parent">The folder.</param>
    public static void RecoverAll(string parent)
    {
        AtomicFile.ClearLeftovers(parent, null);
        ClearLeftovers(parent, null, Disk.Default);
    }

    /// <summary>Removes a folder; it leaves its place in one step, so that a part of it is never taken for the whole.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="IOException">It could not be moved away.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be moved away.</exception>
    public static void Delete(string path)
    {
        string place = PlaceOf(path);
        using var going = new AtomicFolder(place, Disk.Default);
        going._disk.MoveFolder(place, going.Staging);
    }

    /// <summary>Puts the folder in its place. What was there is kept until the new one stands.</summary>
    /// <param name="mayReplace">Called right before a folder in the place is replaced; throws where it must stay, and then it does.
    /// Null where none may be replaced.</param>
    /// <exception cref="IOException">There is a folder and none may be replaced, or the disk is full or failed.</exception>
    /// <exception cref="UnauthorizedAccessException">What is in the place must not be replaced.</exception>
    public void Commit(Action? mayReplace = null)
    {
        _disk.FlushAll(Staging);
        if (Directory.Exists(_place) || !TryMove())
        {
            if (mayReplace is null) throw new IOException($"{_place} exists");
            mayReplace();
            if (!_disk.TryExchange(Staging, _place)) ReplaceInTwoSteps();
        }

        _disk.FlushFolder(WorkingName.FolderOf(_place));
    }

    /// <summary>Clears away what was filled, or after a commit what was replaced.</summary>
    public void Dispose() => Clear(_working, _place, _lock, _disk);

    internal static AtomicFolder CreateOn(Disk disk, string path)
    {
        string place = PlaceOf(path);
        RecoverOn(disk, place);
        var folder = new AtomicFolder(place, disk);
        Directory.CreateDirectory(folder.Staging);
        return folder;
    }

    internal static void RecoverOn(Disk disk, string path)
    {
        string place = PlaceOf(path);
        ClearLeftovers(WorkingName.FolderOf(place), place, disk);
    }

    private static string PlaceOf(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
    }

    /// <summary>Removes the working folders of killed writers: those whose lock nobody holds.</summary>
    private static void ClearLeftovers(string parent, string? wanted, Disk disk)
    {
        foreach (var (working, place) in WorkingName.Find(parent, wanted))
        {
            if (working is not DirectoryInfo || working.LinkTarget is not null) continue;
            string folder = working.FullName, lockFile = Path.Combine(folder, LockName);
            try
            {
                if (!File.Exists(lockFile))
                {
                    // Killed before it had a lock: it is empty.
                    Directory.Delete(folder);
                    continue;
                }

                using var held = new FileStream(lockFile, FileMode.Open, FileAccess.Write, FileShare.None);

                // Killed between the two steps of a replacement: the old folder goes back.
                string old = Path.Combine(folder, OldName);
                if (Directory.Exists(old) && !Path.Exists(place))
                {
                    disk.MoveFolder(old, place);
                    disk.FlushFolder(parent);
                }

                Clear(folder, place, held, disk);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another writer holds the lock, or the folder is another user's: it stays.
            }
        }
    }

    /// <summary>
    /// Removes a working folder, but not where it holds the only folder there is: one that was moved away for another that could not take
    /// its place, and could not be moved back.
    /// </summary>
    private static void Clear(string working, string place, FileStream held, Disk disk)
    {
        string fresh = Path.Combine(working, NewName), old = Path.Combine(working, OldName);
        disk.TryDeleteFolder(fresh);
        if (Path.Exists(place)) disk.TryDeleteFolder(old);
        held.Dispose();

        // With the lock in it the next writer knows what could not be removed for a leftover.
        if (!Directory.Exists(fresh) && !Directory.Exists(old)) disk.TryDeleteFolder(working);
    }

    private static (string Folder, FileStream Lock) CreateWorkingFolder(string place, Disk disk)
    {
        for (int attempt = 1; ; attempt++)
        {
            string folder = WorkingName.New(place, disk);
            Directory.CreateDirectory(folder);
            try
            {
                string name = Path.Combine(folder, LockName);
                var held = new FileStream(name, FileMode.CreateNew, FileAccess.Write, FileShare.None);
                if (File.Exists(name)) return (folder, held);
                held.Dispose();
            }
            catch (IOException) when (attempt < 10)
            {
                // As above, another writer that is just starting took it for a leftover before it was locked.
            }
        }
    }

    /// <summary>False where another writer put its folder there since it was last looked at.</summary>
    private bool TryMove()
    {
        try
        {
            // A rename by itself never replaces a folder that is not empty.
            _disk.MoveFolder(Staging, _place);
            return true;
        }
        catch (IOException) when (Directory.Exists(_place))
        {
            return false;
        }
    }

    private void ReplaceInTwoSteps()
    {
        string old = Path.Combine(_working, OldName);
        _disk.MoveFolder(_place, old);
        try
        {
            _disk.MoveFolder(Staging, _place);
        }
        catch
        {
            _disk.MoveFolder(old, _place);
            throw;
        }
    }
}

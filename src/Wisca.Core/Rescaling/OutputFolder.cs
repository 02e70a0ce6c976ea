using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Files;

namespace Wisca.Rescaling;

/// <summary>
/// A folder that comes into being all at once: it is filled inside a working folder beside its place and renamed at the end. A run that
/// is killed leaves the place as it was, and its working folder <c>.NAME.*.wisca-partial</c>, which the next run to the same place clears
/// away. The working folder also holds a lock, by which a run that is alive is known.
/// </summary>
internal sealed partial class OutputFolder : IDisposable
{
    private const string Suffix = ".wisca-partial";
    private const string LockName = "lock", NewName = "new", OldName = "old";
    private readonly string _place, _shown, _working;
    private readonly bool _force;
    private readonly FileStream _lock;
    private readonly Func<string, string, bool> _tryExchange;

    private OutputFolder(string place, string shown, bool force, Func<string, string, bool> tryExchange)
    {
        _tryExchange = tryExchange;
        _place = place;
        _shown = shown;
        _force = force;
        (_working, _lock) = CreateWorkingFolder(place);
        Directory.CreateDirectory(Staging);
    }

    /// <summary>Where the files are written until <see cref="Commit"/>.</summary>
    public string Staging => Path.Combine(_working, NewName);

    /// <summary>Checks that a folder may be written, and prepares to.</summary>
    /// <param name="path">Where the folder will be.</param>
    /// <param name="checkpoint">The checkpoint or adapter whose files are written anew; the two must not contain each other.</param>
    /// <param name="force">True to replace a folder that wisca wrote.</param>
    /// <param name="freeSpace">Free bytes of the disk that a folder is on; null to ask the system.</param>
    /// <param name="tryExchange">Exchanges two folders in one step where the system can; null to ask it.</param>
    /// <param name="other">A further folder that is read and must stay as it is; null for none.</param>
    /// <exception cref="WiscaException">The place is not allowed, taken, or too small.</exception>
    public static OutputFolder Prepare(
        string path, IWeightFolder checkpoint, bool force, Func<string, long>? freeSpace = null, Func<string, string,
        bool>? tryExchange = null, IWeightFolder? other = null)
    {
        return Prepare(path, () => CheckpointCopy.Size(checkpoint), Check, force, freeSpace, tryExchange);

        void Check(string place)
        {
            CheckApart(place, path, checkpoint);
            if (other is not null) CheckApart(place, path, other);
        }
    }

    /// <summary>Checks that a new folder may be written, and prepares to.</summary>
    /// <param name="path">Where the folder will be; an empty one there is replaced, any other is not.</param>
    /// <param name="size">Bytes that it will hold.</param>
    /// <exception cref="WiscaException">The place is not allowed, taken, or too small.</exception>
    public static OutputFolder Prepare(string path, long size) => Prepare(path, () => size, _ => { }, force: false, null, null);

    private static OutputFolder Prepare(
        string path, Func<long> measure, Action<string> check, bool force, Func<string, long>? freeSpace, Func<string, string,
        bool>? tryExchange)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new WiscaException("the output's path is empty", "name the folder to write");
        try
        {
            string place = RealPath(path);
            check(place);
            if (FileFailure.IsBrokenLink(place))
                throw new WiscaException($"output {path} is a link to nothing", "choose a folder that does not exist yet");
            if (File.Exists(place)) throw new WiscaException($"output {path} is a file", "choose a folder that does not exist yet");
            string parent = Path.GetDirectoryName(place)!;
            if (!Directory.Exists(parent))
                throw new WiscaException($"the folder of output {path} does not exist", $"create it first: mkdir -p '{parent}'");
            ClearLeftovers(place);
            CheckTaken(place, path, force);
            long available = freeSpace?.Invoke(parent) ?? new DriveInfo(parent).AvailableFreeSpace, size = measure();
            if (available < size)
                throw new WiscaException(
                    $"output {path} needs {size / 1e9:0.00} GB, but its disk has {available / 1e9:0.00} GB free",
                    "free some space, or choose a folder on another disk");
            return new OutputFolder(place, path, force, tryExchange ?? TryExchange);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException(
                $"output {path} cannot be written: {exception.Message}", "choose a folder you may write to", exception);
        }
    }

    /// <summary>Puts the folder in its place. What was there is kept until the new folder stands.</summary>
    /// <param name="finish">Writes the last file, without which the staged folder is no model.</param>
    /// <exception cref="WiscaException">Something came to be in the place that may not be replaced.</exception>
    public void Commit(Action finish)
    {
        finish();

        // Looked at again, because the run may have taken hours. A rename by itself never replaces a folder that is not empty.
        CheckTaken(_place, _shown, _force);
        if (!Directory.Exists(_place) && TryMove()) return;
        if (!_tryExchange(Staging, _place)) ReplaceInTwoSteps();
    }

    /// <summary>False where another run put its folder there since it was last looked at, and that may be replaced.</summary>
    private bool TryMove()
    {
        try
        {
            Directory.Move(Staging, _place);
            return true;
        }
        catch (IOException) when (Directory.Exists(_place))
        {
            CheckTaken(_place, _shown, _force);
            return false;
        }
    }

    /// <summary>Clears away the working folder: what was staged, or after a commit what was replaced.</summary>
    public void Dispose()
    {
        // The lock goes last: without one a folder that is not empty would not be known as a leftover.
        TryDelete(Path.Combine(_working, NewName));
        TryDelete(Path.Combine(_working, OldName));
        _lock.Dispose();
        TryDelete(_working);
    }

    private void ReplaceInTwoSteps()
    {
        string old = Path.Combine(_working, OldName);
        Directory.Move(_place, old);
        try
        {
            Directory.Move(Staging, _place);
        }
        catch
        {
            Directory.Move(old, _place);
            throw;
        }
    }

    /// <summary>The input and the output must not contain each other, not even through links:
    /// replacing the output would change the input.</summary>
    private static void CheckApart(string place, string shown, IWeightFolder checkpoint)
    {
        string source = RealPath(checkpoint.Folder);
        if (place == source)
            throw new WiscaException($"output {shown} is the input folder itself", "choose another folder: the input stays as it is");
        if (IsInside(place, source)) throw new WiscaException($"output {shown} lies inside the input folder", "choose a folder outside it");
        if (IsInside(source, place))
            throw new WiscaException($"output {shown} contains the input folder", "choose a folder that does not contain it");
        foreach (
            string file in checkpoint
                .Shards.Select(shard => shard.FullPath)
                .Concat(SideFiles.Of(checkpoint).Copied.Select(name => Path.Combine(checkpoint.Folder, name))))
        {
            if (IsInside(RealPath(file), place))
                throw new WiscaException(
                    $"output {shown} contains what the input's {Path.GetFileName(file)} links to",
                    "choose a folder that does not contain it");
        }
    }

    private static void CheckTaken(string place, string shown, bool force)
    {
        if (!Directory.Exists(place) || !Directory.EnumerateFileSystemEntries(place).Any()) return;
        if (!force)
            throw new WiscaException(
                $"output {shown} exists",
                "choose another folder, or replace it with --force (only a folder that wisca wrote is replaced)");
        Replacement.Check(place, shown);
    }

    private static (string Folder, FileStream Lock) CreateWorkingFolder(string place)
    {
        for (int attempt = 1; ; attempt++)
        {
            string folder = Path.Combine(Path.GetDirectoryName(place)!, WorkingPrefix(place) + Guid.NewGuid().ToString("N") + Suffix);
            Directory.CreateDirectory(folder);
            try
            {
                return (folder, new FileStream(Path.Combine(folder, LockName), FileMode.CreateNew, FileAccess.Write, FileShare.None));
            }
            catch (IOException) when (attempt < 10)
            {
                // Another run that is just starting took it for a leftover before it was locked.
            }
        }
    }

    private static string WorkingPrefix(string place) => $".{Path.GetFileName(place)}.";

    /// <summary>Removes the working folders of killed runs: those whose lock nobody holds.</summary>
    private static void ClearLeftovers(string place)
    {
        string prefix = WorkingPrefix(place);
        foreach (string folder in Directory.EnumerateDirectories(Path.GetDirectoryName(place)!, "*" + Suffix))
        {
            string name = Path.GetFileName(folder);
            if (!name.StartsWith(prefix, StringComparison.Ordinal) || !Guid.TryParseExact(name[prefix.Length..^Suffix.Length], "N", out _))
                continue;
            string lockFile = Path.Combine(folder, LockName);
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
                if (Directory.Exists(old) && !Path.Exists(place)) Directory.Move(old, place);
                TryDelete(Path.Combine(folder, NewName));
                TryDelete(old);
                TryDelete(folder);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another run holds the lock, or the folder is another user's: it stays.
            }
        }
    }

    private static void TryDelete(string folder)
    {
        if (!Directory.Exists(folder)) return;
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Left for the next run to the same place; the result of this one does not depend on it.
        }
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The full path with every link on the way resolved; what does not exist yet is kept.</summary>
    private static string RealPath(string path)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(path) is not { } parent) return path;
        path = Path.Combine(RealPath(parent), Path.GetFileName(path));
        if (!Path.Exists(path) || FileFailure.IsBrokenLink(path)) return path;
        FileSystemInfo entry = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        return entry.ResolveLinkTarget(returnFinalTarget: true) is { } target ? RealPath(target.FullName) : path;
    }

    private static bool TryExchange(string a, string b)
    {
        const int currentFolder = -100;
        const uint exchange = 2;
        return OperatingSystem.IsLinux() && RenameAt2(currentFolder, a, currentFolder, b, exchange) == 0;
    }

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int RenameAt2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);
}

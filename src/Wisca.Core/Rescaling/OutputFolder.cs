using System.Runtime.InteropServices;

namespace Wisca.Rescaling;

/// <summary>
/// A folder that comes into being all at once: it is filled under another name beside its place and renamed at the end. A run that is
/// killed leaves the place as it was, and a folder named <c>.NAME.*.wisca-partial</c> that the next run to the same place clears away.
/// </summary>
internal sealed partial class OutputFolder : IDisposable
{
    private const string Suffix = ".wisca-partial";
    private const string LockName = ".wisca-lock";
    private readonly string _place;
    private readonly FileStream _lock;
    private bool _committed;

    private OutputFolder(string place, string staging)
    {
        _place = place;
        Staging = staging;
        Directory.CreateDirectory(staging);
        _lock = new FileStream(Path.Combine(staging, LockName), FileMode.CreateNew, FileAccess.Write, FileShare.None);
    }

    /// <summary>Where the files are written until <see cref="Commit"/>.</summary>
    public string Staging { get; }

    /// <summary>Checks that a folder may be written, and prepares to.</summary>
    /// <param name="path">Where the folder will be.</param>
    /// <param name="input">The checkpoint that is read; the two must not contain each other.</param>
    /// <param name="size">Bytes that will be written.</param>
    /// <param name="force">True to replace a folder that wisca wrote.</param>
    /// <exception cref="WiscaException">The place is not allowed, taken, or too small.</exception>
    public static OutputFolder Prepare(string path, string input, long size, bool force)
    {
        string place = RealPath(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        string source = RealPath(Path.TrimEndingDirectorySeparator(Path.GetFullPath(input)));
        if (place == source) throw new WiscaException($"output {path} is the input folder itself", "choose another folder: the input stays as it is");
        if (IsInside(place, source)) throw new WiscaException($"output {path} lies inside the input folder", "choose a folder outside it");
        if (IsInside(source, place)) throw new WiscaException($"output {path} contains the input folder", "choose a folder that does not contain it");
        if (File.Exists(place)) throw new WiscaException($"output {path} is a file", "choose a folder that does not exist yet");
        string? parent = Path.GetDirectoryName(place);
        if (parent is null || !Directory.Exists(parent)) throw new WiscaException($"the folder of output {path} does not exist", $"create it first: mkdir -p '{parent ?? path}'");
        if (Directory.Exists(place) && Directory.EnumerateFileSystemEntries(place).Any())
        {
            if (!force) throw new WiscaException($"output {path} exists", "choose another folder, or replace it with --force (only a folder that wisca wrote is replaced)");
            Ledger.CheckReplaceable(place, path);
        }

        ClearLeftovers(parent, Path.GetFileName(place));
        CheckSpace(parent, path, size);
        try
        {
            return new OutputFolder(place, Path.Combine(parent, $".{Path.GetFileName(place)}.{Guid.NewGuid():N}{Suffix}"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException($"output {path} cannot be written: {exception.Message.ReplaceLineEndings(" ")}", "choose a folder you may write to", exception);
        }
    }

    /// <summary>Puts the folder in its place. What was there is kept until the new folder stands, and then removed.</summary>
    /// <param name="finish">Writes the last file, without which the staged folder is no model.</param>
    public void Commit(Action finish)
    {
        _lock.Dispose();
        File.Delete(Path.Combine(Staging, LockName));
        finish();
        if (!Directory.Exists(_place)) Directory.Move(Staging, _place);
        else if (TryExchange(Staging, _place)) Directory.Delete(Staging, recursive: true);
        else
        {
            string old = Staging + "-old";
            Directory.Move(_place, old);
            Directory.Move(Staging, _place);
            Directory.Delete(old, recursive: true);
        }

        _committed = true;
    }

    /// <summary>Clears away what was staged, unless it was committed.</summary>
    public void Dispose()
    {
        _lock.Dispose();
        if (!_committed && Directory.Exists(Staging)) Directory.Delete(Staging, recursive: true);
    }

    /// <summary>Removes the staged folders of killed runs: those whose lock nobody holds.</summary>
    private static void ClearLeftovers(string parent, string name)
    {
        foreach (string folder in Directory.EnumerateDirectories(parent, $".{name}.*{Suffix}"))
        {
            string lockFile = Path.Combine(folder, LockName);
            try
            {
                // A run that was killed between giving up its lock and renaming leaves none; one that is just starting has none yet.
                if (!File.Exists(lockFile) && Directory.GetLastWriteTimeUtc(folder) > DateTime.UtcNow.AddMinutes(-1)) continue;
                using (File.Exists(lockFile) ? new FileStream(lockFile, FileMode.Open, FileAccess.Write, FileShare.None) : null)
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
            catch (IOException)
            {
                // Another run holds the lock: its folder is in use.
                continue;
            }
        }
    }

    private static void CheckSpace(string parent, string path, long size)
    {
        long available = new DriveInfo(parent).AvailableFreeSpace;
        if (available < size)
            throw new WiscaException($"output {path} needs {size / 1e9:0.00} GB, but its disk has {available / 1e9:0.00} GB free", "free some space, or choose a folder on another disk");
    }

    private static bool IsInside(string path, string folder) => path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The path with every link on the way resolved; what does not exist yet is kept.</summary>
    private static string RealPath(string path)
    {
        string? parent = Path.GetDirectoryName(path);
        if (parent is null) return path;
        path = Path.Combine(RealPath(parent), Path.GetFileName(path));
        return Directory.Exists(path) && new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true) is { } target
            ? RealPath(Path.TrimEndingDirectorySeparator(Path.GetFullPath(target.FullName)))
            : path;
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

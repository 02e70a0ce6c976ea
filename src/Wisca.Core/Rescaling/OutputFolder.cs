using Wisca.Checkpoints;
using Wisca.Files;

namespace Wisca.Rescaling;

/// <summary>
/// A folder that a user named for a model or an adapter: an <see cref="AtomicFolder"/> that stays apart from what is read, fits on its
/// disk, and replaces only what it may, with one line that says so.
/// </summary>
public sealed class OutputFolder : IDisposable
{
    private readonly string _place, _shown;
    private readonly bool _force;
    private readonly AtomicFolder _folder;

    private OutputFolder(string place, string shown, bool force, AtomicFolder folder) =>
        (_place, _shown, _force, _folder) = (place, shown, force, folder);

    /// <summary>Where the files are written until <see cref="Commit"/>.</summary>
    public string Staging => _folder.Staging;

    /// <summary>Checks that a new folder may be written, and prepares to.</summary>
    /// <param name="path">Where the folder will be; an empty one there is replaced, any other is not.</param>
    /// <param name="size">Bytes that it will hold.</param>
    /// <exception cref="WiscaException">The place is not allowed, taken, or too small.</exception>
    public static OutputFolder Prepare(string path, long size) => Prepare(path, () => size, _ => { }, force: false, null, Disk.Default);

    /// <summary>Puts the folder in its place. What was there is kept until the new folder stands.</summary>
    /// <param name="finish">Writes the last file, without which the staged folder is no model.</param>
    /// <exception cref="WiscaException">What was put in the place meanwhile may not be replaced, or the disk is full.</exception>
    public void Commit(Action finish)
    {
        ArgumentNullException.ThrowIfNull(finish);
        try
        {
            finish();

            // Looked at again, because the run may have taken hours.
            _folder.Commit(() => CheckTaken(_place, _shown, _force));
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"output {_shown} cannot be written: {exception.Message}", "free some space, or choose another disk", exception);
        }
    }

    /// <summary>Clears away what was staged, or after a commit what was replaced.</summary>
    public void Dispose() => _folder.Dispose();

    /// <summary>Checks that a folder may be written, and prepares to.</summary>
    /// <param name="path">Where the folder will be.</param>
    /// <param name="checkpoint">The checkpoint or adapter whose files are written anew; the two must not contain each other.</param>
    /// <param name="force">True to replace a folder that wisca wrote.</param>
    /// <param name="freeSpace">Free bytes of the disk that a folder is on; null to ask the system.</param>
    /// <param name="disk">The file system; null for the system's.</param>
    /// <param name="other">A further folder that is read and must stay as it is; null for none.</param>
    /// <exception cref="WiscaException">The place is not allowed, taken, or too small.</exception>
    internal static OutputFolder Prepare(
        string path, IWeightFolder checkpoint, bool force, Func<string, long>? freeSpace = null, Disk? disk = null,
        IWeightFolder? other = null)
    {
        return Prepare(path, () => CheckpointCopy.Size(checkpoint), Check, force, freeSpace, disk ?? Disk.Default);

        void Check(string place)
        {
            CheckApart(place, path, checkpoint);
            if (other is not null) CheckApart(place, path, other);
        }
    }

    private static OutputFolder Prepare(
        string path, Func<long> measure, Action<string> check, bool force, Func<string, long>? freeSpace, Disk disk)
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
            AtomicFolder.RecoverOn(disk, place);
            CheckTaken(place, path, force);
            // A place that cannot be written says so, and not that it is full.
            var folder = AtomicFolder.CreateOn(disk, place);
            long available = freeSpace?.Invoke(parent) ?? new DriveInfo(parent).AvailableFreeSpace, size = measure();
            if (available >= size) return new OutputFolder(place, path, force, folder);
            folder.Dispose();
            throw new WiscaException(
                $"output {path} needs {size / 1e9:0.00} GB, but its disk has {available / 1e9:0.00} GB free",
                "free some space, or choose a folder on another disk");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException(
                $"output {path} cannot be written: {exception.Message}", "choose a folder you may write to", exception);
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
}

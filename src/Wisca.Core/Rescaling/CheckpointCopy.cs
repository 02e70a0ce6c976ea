using Wisca.Checkpoints;

namespace Wisca.Rescaling;

/// <summary>Completes a staged checkpoint: side files, ledger and, last of all, the configuration that makes the folder a model.</summary>
internal static class CheckpointCopy
{
    // The ledger and the file system's own needs; a run that would fill the disk to the last byte is not worth starting.
    private const long Reserve = 16 << 20;

    /// <summary>Bytes that the copy will need.</summary>
    public static long Size(IWeightFolder checkpoint) =>
        checkpoint.Shards.Sum(shard => shard.Length)
        + SideFiles.Of(checkpoint).Copied.Sum(name => Length(Path.Combine(checkpoint.Folder, name)))
        + RotationFile.NamesIn(Ledger.Load(checkpoint.Folder)?.Moves ?? [])
            .Sum(name => RotationFile.Find(checkpoint.Folder, name).Length)
        + Reserve;

    /// <summary>Copies the side files, writes the ledger and puts the folder in its place.</summary>
    /// <param name="checkpoint">The model or adapter that was read.</param>
    /// <param name="folder">The staged output, its weights written.</param>
    /// <param name="ledgerOf">Makes the ledger from the list of files.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <param name="rewritten">Files that are written with another content than the one that was read; null for none.</param>
    public static SideFiles Complete(
        IWeightFolder checkpoint, OutputFolder folder, Func<IReadOnlyList<LedgerFile>, Ledger> ledgerOf, CancellationToken cancellation,
        IReadOnlyDictionary<string, byte[]>? rewritten = null)
    {
        var sideFiles = SideFiles.Of(checkpoint);
        var files = new List<LedgerFile>();
        foreach (string name in checkpoint.Shards.Select(shard => Path.GetFileName(shard.FullPath)))
            files.Add(new LedgerFile(name, Length(Path.Combine(folder.Staging, name))));
        foreach (string name in sideFiles.Copied.OrderBy(name => name == checkpoint.ConfigName))
        {
            cancellation.ThrowIfCancellationRequested();
            byte[]? content = rewritten?.GetValueOrDefault(name);
            files.Add(new LedgerFile(name, content?.Length ?? Length(Path.Combine(checkpoint.Folder, name))));
            if (name != checkpoint.ConfigName) Write(name, content);
        }

        CompleteLedger(checkpoint, folder.Staging, files, ledgerOf);
        folder.Commit(() => Write(checkpoint.ConfigName, rewritten?.GetValueOrDefault(checkpoint.ConfigName)));
        return sideFiles;

        void Write(string name, byte[]? content)
        {
            string target = Path.Combine(folder.Staging, name);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (content is null) Copy(Path.Combine(checkpoint.Folder, name), target);
            else File.WriteAllBytes(target, content);
        }
    }

    /// <summary>Writes the ledger, and beside it the rotations that it tells of: those of earlier moves are copied.</summary>
    private static void CompleteLedger(
        IWeightFolder checkpoint, string staging, List<LedgerFile> files, Func<IReadOnlyList<LedgerFile>, Ledger> ledgerOf)
    {
        foreach (string name in RotationFile.NamesIn(ledgerOf([]).Moves))
        {
            string path = Path.Combine(staging, name);
            if (!File.Exists(path)) Copy(RotationFile.Find(checkpoint.Folder, name).FullName, path);
            files.Add(new LedgerFile(name, new FileInfo(path).Length));
        }

        ledgerOf(files).Save(staging);
    }

    /// <summary>Copies a file as it is at one moment.</summary>
    private static void Copy(string source, string target)
    {
        var (length, written) = Stamp();
        File.Copy(source, target);
        if (Stamp() != (length, written) || new FileInfo(target).Length != length)
            throw new WiscaException($"{source} was changed while it was read", "another program is writing it; run again when it is done");

        (long, DateTime) Stamp()
        {
            var file = Target(source);
            return (file.Length, file.LastWriteTimeUtc);
        }
    }

    private static long Length(string path) => Target(path).Length;

    private static FileInfo Target(string path) => new(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
}

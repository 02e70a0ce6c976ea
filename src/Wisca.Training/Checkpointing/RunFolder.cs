using System.Globalization;
using System.Text.Json;
using Wisca.Files;
using Wisca.Training.Configuration;

namespace Wisca.Training.Checkpointing;

/// <summary>
/// The folder of a training run: its configuration, metrics and checkpoints. <c>checkpoints/step-000500</c> is an
/// <see cref="AtomicFolder"/>: it appears when it is complete and on the disk. The last checkpoints and the best stay, and older
/// ones go only after a new one is there: whenever a run is killed, the latest complete checkpoint is left.
/// Only one run at a time may have the folder.
/// </summary>
public sealed class RunFolder : IDisposable
{
    /// <summary>What <c>latest.json</c> says between the beginning of a new run
    /// in the folder of an earlier one and its first checkpoint.</summary>
    private static readonly CheckpointPointer Beginning = new(0, null);

    private readonly FileStream? _lock;

    private RunFolder(string path, FileStream? held) => (FullPath, _lock) = (path, held);

    /// <summary>The folder.</summary>
    public string FullPath { get; }

    /// <summary>True where this process writes into it.</summary>
    internal bool IsWritten => _lock is not null;

    /// <summary>The configuration as it was used.</summary>
    public string ConfigPath => Path.Combine(FullPath, RunLayout.Config);

    /// <summary>The metrics, one JSON object a line.</summary>
    public string MetricsPath => Path.Combine(FullPath, RunLayout.Metrics);

    /// <summary>The folder of TensorBoard's event files.</summary>
    public string TensorBoardFolder => Path.Combine(FullPath, RunLayout.TensorBoard);

    /// <summary>The folder of tokenised text, where the configuration names no other.</summary>
    public string CacheFolder => Path.Combine(FullPath, RunLayout.Cache);

    /// <summary>The checkpoint to resume from; null where there is none.</summary>
    public string? LatestCheckpoint => FindLatest(FullPath);

    /// <summary>The checkpoint with the lowest held-out loss; null where there is none.</summary>
    public string? BestCheckpoint => FindBest(FullPath);

    /// <summary>Opens a run's folder for writing, creates it where it does not exist, and clears away what a killed run left.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="WiscaException">Another run has it, or it cannot be written.</exception>
    public static RunFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (File.Exists(path))
            throw new WiscaException($"output {path} is a file, expected a folder for the run", "choose another folder with output");
        FileStream held;
        string lockFile = Path.Combine(path, RunLayout.Lock);
        try
        {
            AtomicFolder.Ensure(CheckpointsOf(path));

            // Freed by the system, however the run ends.
            held = new FileStream(lockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (File.Exists(lockFile))
        {
            throw new WiscaException(
                $"output {path} is in use by another run", "wait for it, or choose another folder with output", exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"output {path} cannot be written: {exception.Message}", "choose another folder with output", exception);
        }

        try
        {
            AtomicFolder.RecoverAll(CheckpointsOf(path));
            return new RunFolder(Path.GetFullPath(path), held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The folder of a run that another process of it has opened for writing; this one only reads.</summary>
    /// <param name="path">The folder.</param>
    internal static RunFolder Join(string path) => new(Path.GetFullPath(path), null);

    /// <summary>Waits until no other run has a folder, as where one was just ended; returns after a while in any case.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="atMost">How long.</param>
    public static void AwaitFree(string path, TimeSpan atMost)
    {
        ArgumentNullException.ThrowIfNull(path);
        string file = Path.Combine(path, RunLayout.Lock);
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); clock.Elapsed < atMost && File.Exists(file); Thread.Sleep(50))
        {
            try
            {
                using (new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) return;
            }
            catch (IOException)
            {
                // Someone has it still.
            }
        }
    }

    /// <summary>The latest complete checkpoint of a run; null where there is none. The run may be going on.</summary>
    /// <param name="path">The run's folder.</param>
    public static string? FindLatest(string path)
    {
        ArgumentNullException.ThrowIfNull(path);

        // The pointer decides, since a run that was resumed from an earlier checkpoint leaves later ones behind for a while.
        var latest = ReadPointer(path, RunLayout.Latest);
        if (latest is not null && Complete(path, latest.Step) is { } pointed) return pointed;
        if (latest == Beginning) return null;
        return Steps(path).OrderDescending().Select(step => Complete(path, step)).FirstOrDefault(folder => folder is not null);
    }

    /// <summary>The checkpoint of a run with the lowest held-out loss; null where none was evaluated.</summary>
    /// <param name="path">The run's folder.</param>
    public static string? FindBest(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return ReadPointer(path, RunLayout.Best) is { } best ? Complete(path, best.Step) : null;
    }

    /// <summary>Begins a new run: the checkpoints of an earlier one are no longer its own, and go when it saves its first.</summary>
    public void BeginAnew()
    {
        if (!Steps(FullPath).Any()) return;
        WritePointer(RunLayout.Latest, Beginning);
        File.Delete(Path.Combine(CheckpointsOf(FullPath), RunLayout.Best));
    }

    /// <summary>The latest complete checkpoint of an earlier step; null where there is none.</summary>
    /// <param name="step">The step.</param>
    public string? CheckpointBefore(long step) =>
        ReadPointer(FullPath, RunLayout.Latest) == Beginning
            ? null
            : Steps(FullPath)
                .Where(other => other < step)
                .OrderDescending()
                .Select(other => Complete(FullPath, other))
                .FirstOrDefault(folder => folder is not null);

    /// <summary>The folder's place for a checkpoint.</summary>
    /// <param name="path">The run's folder.</param>
    /// <param name="step">The step.</param>
    public static string CheckpointPath(string path, long step) =>
        Path.Combine(CheckpointsOf(path), string.Create(CultureInfo.InvariantCulture, $"{RunLayout.StepPrefix}{step:000000}"));

    /// <summary>Writes a checkpoint, and then removes those that need not stay.</summary>
    /// <param name="step">Number of steps that are done.</param>
    /// <param name="loss">The held-out loss, where it was measured: the lowest so far makes the best checkpoint.</param>
    /// <param name="options">How many stay.</param>
    /// <param name="write">Writes everything into the folder that it is given. It must write <see cref="RunLayout.State"/>, without
    /// which a checkpoint counts as incomplete.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="WiscaException">The checkpoint could not be written; earlier ones are as they were.</exception>
    public string Save(long step, double? loss, CheckpointSection options, Action<string> write)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(write);
        string place = CheckpointPath(FullPath, step);
        try
        {
            using var folder = AtomicFolder.Create(place);
            write(folder.Staging);
            if (!File.Exists(Path.Combine(folder.Staging, RunLayout.State)))
                throw new WiscaException($"the checkpoint of step {step} has no {RunLayout.State}, expected one");

            // A checkpoint of this step may be there from before the run was resumed.
            folder.Commit(mayReplace: () => { });
            bool first = ReadPointer(FullPath, RunLayout.Latest) == Beginning;
            WritePointer(RunLayout.Latest, new CheckpointPointer(step, loss));

            // What lies after this step is from before the run was resumed, the best among it included.
            var best =
                ReadPointer(FullPath, RunLayout.Best) is { } before && before.Step < step && Complete(FullPath, before.Step) is not null
                    ? before
                    : null;
            if (loss is { } measured && double.IsFinite(measured) && !(best?.Loss <= measured)) best = new CheckpointPointer(step, loss);
            if (best is not null) WritePointer(RunLayout.Best, best);
            else File.Delete(Path.Combine(CheckpointsOf(FullPath), RunLayout.Best));
            Prune(step, first ? 1 : options.Keep, options.Best ? best?.Step : null);
            return place;
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception) || exception is WiscaException)
        {
            string left = LatestCheckpoint is { } latest ? $"the latest checkpoint is {latest}" : "there is no earlier checkpoint";
            throw new WiscaException(
                $"the checkpoint of step {step} could not be written to {place}: {exception.Message}",
                $"{left}; free some space or check permissions, and resume", exception);
        }
    }

    /// <summary>Lets others have the folder.</summary>
    public void Dispose() => _lock?.Dispose();

    private static string CheckpointsOf(string path) => Path.Combine(path, RunLayout.Checkpoints);

    private static string? Complete(string path, long step)
    {
        string folder = CheckpointPath(path, step);
        return File.Exists(Path.Combine(folder, RunLayout.State)) ? folder : null;
    }

    private static IEnumerable<long> Steps(string path)
    {
        if (!Directory.Exists(CheckpointsOf(path))) yield break;
        foreach (string folder in Directory.EnumerateDirectories(CheckpointsOf(path), RunLayout.StepPrefix + "*"))
        {
            if (
                long.TryParse(
                    Path.GetFileName(folder).AsSpan(RunLayout.StepPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                    out long step)
                && folder == CheckpointPath(path, step))
                yield return step;
        }
    }

    private static CheckpointPointer? ReadPointer(string path, string name)
    {
        string file = Path.Combine(CheckpointsOf(path), name);
        try
        {
            PlainFile.Check(file);
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), TrainingJson.Default.CheckpointPointer);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException exception)
        {
            throw new WiscaException(
                $"{file}: {exception.Message.Split(['\n', '\r'])[0]}", "remove the file: the checkpoints do not need it", exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{file} {FileFailure.Reason(file, exception)}", "check its permissions", exception);
        }
    }

    private static void TryDelete(string checkpoint)
    {
        try
        {
            AtomicFolder.Delete(checkpoint);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It takes space, and the next checkpoint tries again.
        }
    }

    private void WritePointer(string name, CheckpointPointer pointer) =>
        AtomicFile.Write(
            Path.Combine(CheckpointsOf(FullPath), name),
            [.. JsonSerializer.SerializeToUtf8Bytes(pointer, TrainingJson.Default.CheckpointPointer), (byte)'\n']);

    private void Prune(long latest, int keep, long? best)
    {
        var kept = Steps(FullPath).Where(step => step <= latest).OrderDescending().Take(keep).ToHashSet();
        foreach (long step in Steps(FullPath).Where(step => step != best && !kept.Contains(step)).ToList())
        {
            TryDelete(CheckpointPath(FullPath, step));
        }
    }
}

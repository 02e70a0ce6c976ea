using System.Text.Json;
using System.Text.RegularExpressions;
using Wisca.Files;

namespace Wisca.Comparison.Results;

/// <summary>
/// The folder of a study: <c>runs/ID/result.json</c> of finished runs, <c>runs/ID/failure.json</c> of such that failed, <c>work/ID</c> of
/// running and interrupted ones, <c>text</c> with the tokenised text, <c>study.json</c>, <c>report.html</c> and <c>report.md</c>.
/// </summary>
public sealed partial class StudyFolder : IDisposable
{
    private const string ResultName = "result.json", FailureName = "failure.json", LockName = ".lock";
    private FileStream? _lock;

    /// <summary>Names a folder, which need not exist.</summary>
    /// <param name="path">The folder.</param>
    public StudyFolder(string path) => FullPath = Path.GetFullPath(path);

    /// <summary>The folder.</summary>
    public string FullPath { get; }

    /// <summary>Tokenised text that the runs share.</summary>
    public string TextFolder => Path.Combine(FullPath, "text");

    /// <summary>Where runs are while they run.</summary>
    public string WorkFolder => Path.Combine(FullPath, "work");

    /// <summary>The statistics as data.</summary>
    public string ReportPath => Path.Combine(FullPath, "study.json");

    /// <summary>The report as a page.</summary>
    public string PagePath => Path.Combine(FullPath, "report.html");

    /// <summary>The report as Markdown.</summary>
    public string MarkdownPath => Path.Combine(FullPath, "report.md");

    private string Runs => Path.Combine(FullPath, "runs");

    /// <summary>Who makes which run; null until the folder is joined.</summary>
    internal RunClaims? Claims { get; private set; }

    /// <summary>Takes the folder for this process alone.</summary>
    /// <exception cref="WiscaException">A study is running in it, or it cannot be written.</exception>
    public void Lock() => Open(alone: true);

    /// <summary>Takes part in the study that is made in the folder, beside other processes of this machine, and of others that share it.
    /// </summary>
    /// <exception cref="WiscaException">Another process has the folder for itself, or it cannot be written.</exception>
    public void Join()
    {
        Open(alone: false);
        Claims = new RunClaims(WorkFolder);
    }

    private void Open(bool alone)
    {
        string file = Path.Combine(FullPath, LockName);
        if (File.Exists(FullPath))
            throw new WiscaException($"output {FullPath} is a file, expected a folder for the study", "choose another folder with output");
        try
        {
            AtomicFolder.Ensure(FullPath);
            if (!File.Exists(file)) new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite).Dispose();
            _lock = alone
                ? new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None)
                : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read);
            Directory.CreateDirectory(WorkFolder);
        }
        catch (IOException exception) when (_lock is null && File.Exists(file))
        {
            throw new WiscaException(
                $"output {FullPath} is in use by another wisca compare",
                "wait for it", exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"output {FullPath} cannot be written: {exception.Message}", "choose another folder with output", exception);
        }
    }

    /// <summary>The folder of a finished run.</summary>
    /// <param name="id">The run's id.</param>
    public string RunPath(string id) => Path.Combine(Runs, id);

    /// <summary>The folder of a finished run's trained model, where it was kept.</summary>
    /// <param name="id">The run's id.</param>
    public string ModelPath(string id) => Path.Combine(RunPath(id), "model");

    /// <summary>True where a run is finished.</summary>
    /// <param name="id">The run's id.</param>
    public bool HasResult(string id) => File.Exists(Path.Combine(RunPath(id), ResultName));

    /// <summary>Every result in the folder, by id. One that is broken is named and left out: its run counts as not made.</summary>
    public StudyResults ReadResults()
    {
        var results = new Dictionary<string, RunResult>(StringComparer.Ordinal);
        var refused = new List<RefusedResult>();
        if (!Directory.Exists(Runs)) return new StudyResults(results, refused);
        foreach (var run in new DirectoryInfo(Runs).EnumerateDirectories().OrderBy(run => run.Name, StringComparer.Ordinal))
        {
            if (!HasResult(run.Name)) continue;
            try
            {
                if (run.LinkTarget is not null) throw new WiscaException($"{run.FullName} is a link, expected a folder");
                results.Add(run.Name, ReadResult(run.Name));
            }
            catch (WiscaException exception)
            {
                string path = ResultPath(run.Name);
                refused.Add(new RefusedResult(path, exception.Message.Replace(path, "", StringComparison.Ordinal).TrimStart(':', ' ')));
            }
        }

        return new StudyResults(results, refused);
    }

    /// <summary>The result of a finished run.</summary>
    /// <param name="id">The run's id.</param>
    /// <exception cref="WiscaException">It cannot be read.</exception>
    public RunResult ReadResult(string id)
    {
        string path = ResultPath(id);
        var result = Read<RunResult>(path);
        if (result.Version != RunResult.CurrentVersion)
            throw new WiscaException(
                $"{path} has version {result.Version}, expected {RunResult.CurrentVersion}",
                "use the version of wisca that wrote it, or remove the run's folder to make it again");
        if (result.Id != id)
            throw new WiscaException($"{path} is of run {result.Id}, expected {id}", "the folder was renamed; give it its name back");
        if (ResultCheck.Fault(result) is { } fault)
            throw new WiscaException($"{path}: {fault}", "remove the run's folder to make it again");
        return result;
    }

    /// <summary>Writes a result, in one step; what was recorded of a failure goes.</summary>
    /// <param name="result">The result.</param>
    public void WriteResult(RunResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        Write(Path.Combine(RunPath(result.Id), ResultName), result);
        File.Delete(Path.Combine(RunPath(result.Id), FailureName));
    }

    /// <summary>Records that a run failed.</summary>
    /// <param name="failure">Which and why.</param>
    public void WriteFailure(RunFailure failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Write(Path.Combine(RunPath(failure.Id), FailureName), failure);
    }

    /// <summary>Why a run failed; null where it did not, or is finished since.</summary>
    /// <param name="id">The run's id.</param>
    public RunFailure? FindFailure(string id)
    {
        string path = Path.Combine(RunPath(id), FailureName);
        return File.Exists(path) && !HasResult(id) ? Read<RunFailure>(path) : null;
    }

    /// <summary>
    /// Takes over the finished runs of another study's folder that this one does not have: results that hold together, and plain files
    /// beside them. What does not is named and left out.
    /// </summary>
    /// <param name="other">The other folder.</param>
    /// <param name="fault">Says what else is wrong with a result, such as that its numbers are not those of its id.</param>
    /// <exception cref="WiscaException">It is no study's folder, or this one cannot be written.</exception>
    public MergeOutcome Merge(string other, Func<RunResult, string?>? fault = null)
    {
        ArgumentNullException.ThrowIfNull(other);
        var source = new StudyFolder(other);
        if (!Directory.Exists(source.Runs))
            throw new WiscaException(
                $"{other} has no folder runs, expected the output of a study",
                "name the folder that wisca compare wrote to");
        int taken = 0;
        var (results, broken) = source.ReadResults();
        var refused = broken.ToList();
        foreach (var result in results.Values.Where(result => !HasResult(result.Id)))
        {
            if (fault?.Invoke(result) is { } reason)
            {
                refused.Add(new RefusedResult(source.ResultPath(result.Id), reason));
                continue;
            }

            CopyFiles(source.RunPath(result.Id), RunPath(result.Id), refused);
            WriteResult(result);
            taken++;
        }

        return new MergeOutcome(taken, refused);
    }

    /// <summary>Writes a file of the study in one step.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">What becomes its JSON.</param>
    public static void Write(string path, object content)
    {
        ArgumentNullException.ThrowIfNull(content);
        AtomicFolder.Ensure(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.Serialize(content, content.GetType(), StudyJson.Options) + "\n");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Claims?.Dispose();
        _lock?.Dispose();
    }

    /// <summary>The file of a run's result.</summary>
    /// <param name="id">The run's id.</param>
    public string ResultPath(string id) => Path.Combine(RunPath(id), ResultName);

    /// <summary>All but the result, which comes last: with it the run counts as finished. No link is followed.</summary>
    private static void CopyFiles(string from, string to, List<RefusedResult> refused)
    {
        foreach (var entry in new DirectoryInfo(from).EnumerateFileSystemInfos())
        {
            if (entry.Name is ResultName or FailureName) continue;
            string target = Path.Combine(to, entry.Name);
            if (entry.LinkTarget is not null)
            {
                refused.Add(new RefusedResult(entry.FullName, "it is a link, expected a plain file"));
                continue;
            }

            if (entry is DirectoryInfo)
            {
                CopyFiles(entry.FullName, target, refused);
                continue;
            }

            FileStream source;
            try
            {
                source = PlainFile.Open(entry.FullName);
            }
            catch (Exception exception) when (FileFailure.IsExpected(exception))
            {
                refused.Add(new RefusedResult(entry.FullName, exception.Message));
                continue;
            }

            using (source)
            {
                AtomicFolder.Ensure(to);
                using var copy = AtomicFile.Create(target);
                source.CopyTo(copy.Stream);
                copy.Commit();
            }
        }
    }

    /// <summary>Reads a file that <see cref="Write"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hint">What to do where it cannot be read.</param>
    internal static T Read<T>(string path, string hint = "remove the run's folder to make it again")
    {
        try
        {
            return JsonSerializer.Deserialize<T>(PlainFile.ReadAllBytes(path), StudyJson.Options)
                ?? throw new WiscaException($"{path} is null, expected an object", hint);
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{path}: {Reason(exception)}", hint, exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", hint, exception);
        }
    }

    /// <summary>What is wrong in words of JSON: the reader's own speak of its types and options.</summary>
    private static string Reason(JsonException exception)
    {
        string message = exception.Message, place = exception.Path is { Length: > 1 } path ? path[2..] : "the document";
        if (message.Contains("could not be mapped", StringComparison.Ordinal)) return $"{place} is no key that is known";
        if (message.Contains("missing required properties", StringComparison.Ordinal))
            return $"{place} lacks {string.Join(", ", Quoted().Matches(message).Skip(1).Select(match => match.Value))}";
        return message.StartsWith("The JSON value", StringComparison.Ordinal) || message.Contains("null", StringComparison.Ordinal)
            ? $"{place} is of another kind than expected"
            : $"{JsonText.Reason(exception)} (line {exception.LineNumber + 1})";
    }

    [GeneratedRegex("'[^']*'")]
    private static partial Regex Quoted();
}

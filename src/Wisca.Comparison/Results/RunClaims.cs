using System.Text.Json;
using Wisca.Files;

namespace Wisca.Comparison.Results;

/// <summary>
/// Which process makes which run, for machines that share a study's folder: <c>work/ID.claim</c>, which only one of them can create. Who
/// holds a claim writes it anew every few seconds. One of a process of this system is taken over when the process has ended, any other
/// when it was not written for <see cref="StaleAfter"/> by the clock of the file system.
/// </summary>
internal sealed class RunClaims : IDisposable
{
    /// <summary>After so long without a sign of life a claim is anybody's.</summary>
    public static readonly TimeSpan StaleAfter = TimeSpan.FromMinutes(2);

    private const string Extension = ".claim";

    // EEXIST, ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS.
    private const int ExistsOnLinux = 17, FileExists = 80, AlreadyExists = 183;

    private readonly string _folder;
    private readonly TimeSpan _staleAfter;
    private readonly ClaimOwner _me = ClaimOwner.Mine();
    private readonly HashSet<string> _held = new(StringComparer.Ordinal);

    /// <param name="folder">The folder that holds the claims; it exists.</param>
    /// <param name="staleAfter">See <see cref="StaleAfter"/>.</param>
    public RunClaims(string folder, TimeSpan? staleAfter = null) => (_folder, _staleAfter) = (folder, staleAfter ?? StaleAfter);

    private string ClockPath => Path.Combine(_folder, $".clock-{_me.Key}");

    /// <summary>Takes a run, if nobody else has it.</summary>
    /// <param name="id">The run's id.</param>
    public bool TryTake(string id)
    {
        if (_held.Contains(id)) return true;
        string path = PathOf(id);
        if (!Create(path) && !(IsStale(path) && SetAside(path) && Create(path))) return false;
        return _held.Add(id);
    }

    /// <summary>Says that this process still makes its runs.</summary>
    /// <returns>Those that another one has taken over, because this one was away for too long.</returns>
    public IReadOnlyList<string> Beat()
    {
        List<string> lost = [];
        foreach (string id in _held)
        {
            try
            {
                if (Read(PathOf(id))?.Key != _me.Key) lost.Add(id);
                else Write(PathOf(id), FileMode.Open);
            }
            catch (FileNotFoundException)
            {
                lost.Add(id);
            }
        }

        _held.ExceptWith(lost);
        return lost;
    }

    /// <summary>Gives a run back.</summary>
    /// <param name="id">The run's id.</param>
    public void Release(string id)
    {
        if (_held.Remove(id) && Read(PathOf(id))?.Key == _me.Key) File.Delete(PathOf(id));
    }

    /// <summary>True where a run is claimed, by whomever.</summary>
    /// <param name="id">The run's id.</param>
    public bool IsTaken(string id) => File.Exists(PathOf(id));

    /// <summary>Who makes a run, as people call the machine; null where nobody does.</summary>
    /// <param name="id">The run's id.</param>
    public string? HostOf(string id) => Read(PathOf(id))?.Host;

    /// <summary>Gives all runs back.</summary>
    public void Dispose()
    {
        foreach (string id in _held.ToList()) Release(id);
    }

    private string PathOf(string id) => Path.Combine(_folder, id + Extension);

    private bool Create(string path)
    {
        try
        {
            Write(path, FileMode.CreateNew);
            return true;
        }
        catch (IOException exception) when (IsThere(exception))
        {
            return false;
        }
    }

    /// <summary>By what the system said: to look again would be too late, a claim may be given back at any moment.</summary>
    private static bool IsThere(IOException exception) =>
        (exception.HResult & 0xFFFF) is ExistsOnLinux or FileExists or AlreadyExists;

    /// <summary>Where the owner can be seen it counts whether it lives, and else how long it was silent.</summary>
    private bool IsStale(string path) => Read(path)?.HasEnded() ?? IsOld(path);

    /// <summary>By the file system's own clock: those of machines differ.</summary>
    private bool IsOld(string path)
    {
        File.WriteAllText(ClockPath, "");
        DateTime now = File.GetLastWriteTimeUtc(ClockPath), written = File.GetLastWriteTimeUtc(path);
        File.Delete(ClockPath);
        return File.Exists(path) && now - written > _staleAfter;
    }

    /// <summary>Takes a stale claim away. Of several that try, the file system lets one.</summary>
    private bool SetAside(string path)
    {
        string aside = $"{path}-{_me.Key}";
        try
        {
            File.Move(path, aside);
        }
        catch (IOException)
        {
            return false;
        }

        // Another one was faster, and this is its new claim: it gets it back.
        if (!IsStale(aside))
        {
            try
            {
                File.Move(aside, path);
            }
            catch (IOException)
            {
                // Somebody has taken it meanwhile.
                File.Delete(aside);
            }

            return false;
        }

        File.Delete(aside);
        return true;
    }

    private void Write(string path, FileMode mode)
    {
        using var stream = new FileStream(path, mode, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        stream.Write(JsonSerializer.SerializeToUtf8Bytes(_me, StudyJson.Options));
    }

    /// <summary>What stands in a claim; null where there is none, or it is being written.</summary>
    private static ClaimOwner? Read(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return JsonSerializer.Deserialize<ClaimOwner>(stream, StudyJson.Options);
        }
        catch (Exception exception) when (exception is JsonException || FileFailure.IsExpected(exception))
        {
            return null;
        }
    }
}

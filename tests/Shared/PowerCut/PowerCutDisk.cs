using System.Security.Cryptography;
using Wisca.Files;

namespace Wisca.Tests.PowerCut;

/// <summary>
/// A disk that knows, before each of its steps, what a power cut would leave of a folder. What was written and not flushed may be there
/// or lost; names that were not flushed may be there or not, in any order. Whatever the program does to files beside this class is seen
/// too: it counts as not flushed.
/// </summary>
/// <remarks>
/// Of n changes that wait, 2^n may have reached the disk. Tried are all that a journal gives (the first k), each one alone, and all but
/// one; each with the waiting contents kept, and lost.
/// </remarks>
internal sealed class PowerCutDisk : Disk
{
    private readonly string _root;
    private readonly SimulatedEntry _top = new(isFolder: true);
    private readonly List<NameChange> _waiting = [];
    private readonly Action<string, Remains> _inspect;
    private int _steps;

    /// <param name="root">The folder that is watched; what it holds now has reached the disk.</param>
    /// <param name="inspect">Gets every state that a power cut may leave, and the step before which it strikes.</param>
    public PowerCutDisk(string root, Action<string, Remains> inspect)
    {
        (_root, _inspect) = (Path.GetFullPath(root), inspect);
        Look();
        foreach (var change in _waiting) Apply(change);
        _waiting.Clear();
        Settle(_top);
    }

    /// <summary>Number of steps so far.</summary>
    public int Steps => _steps;

    /// <summary>Looks for the last time, when the program has ended: what is flushed now is all that the user can rely on.</summary>
    public Remains End()
    {
        Step("the end");
        return Left([], contentsKept: false);
    }

    public override void Flush(FileStream stream)
    {
        stream.Flush();
        Step($"the flush of {Name(stream.Name)}");
        base.Flush(stream);
        MarkFlushed(stream.Name);
    }

    public override void FlushFile(string path)
    {
        Step($"the flush of {Name(path)}");
        base.FlushFile(path);
        MarkFlushed(path);
    }

    public override void FlushFolder(string path)
    {
        Step($"the flush of {Name(path)}/");
        base.FlushFolder(path);
        if (Find(path) is not { } folder) return;
        foreach (var change in _waiting.Where(change => change.DurableWith == folder).ToList())
        {
            Apply(change);
            _waiting.Remove(change);
        }
    }

    public override void MoveFile(string from, string to, bool replace)
    {
        Step($"the move of {Name(from)} to {Name(to)}");
        base.MoveFile(from, to, replace);
        Moved(from, to);
    }

    public override void DeleteFile(string path)
    {
        Step($"the removal of {Name(path)}");
        base.DeleteFile(path);
    }

    public override void MoveFolder(string from, string to)
    {
        Step($"the move of {Name(from)}/ to {Name(to)}/");
        base.MoveFolder(from, to);
        Moved(from, to);
    }

    public override bool TryExchange(string a, string b)
    {
        Step($"the exchange of {Name(a)}/ and {Name(b)}/");
        if (!base.TryExchange(a, b)) return false;
        if (Parent(a) is not { } parentA || Parent(b) is not { } parentB) return true;
        (string nameA, string nameB) = (Path.GetFileName(a), Path.GetFileName(b));
        Change(new NameChange([(parentA, nameA, parentB.Names[nameB]), (parentB, nameB, parentA.Names[nameA])], parentB));
        return true;
    }

    public override void TryDeleteFolder(string folder)
    {
        Step($"the removal of {Name(folder)}/");
        base.TryDeleteFolder(folder);
    }

    private void Step(string step)
    {
        Look();
        _steps++;
        int count = _waiting.Count;
        var survivors = new List<IReadOnlyList<NameChange>>();
        for (int i = 0; i <= count; i++) survivors.Add(_waiting[..i]);
        for (int i = 0; i < count; i++)
        {
            survivors.Add([_waiting[i]]);
            survivors.Add([.. _waiting[..i], .. _waiting[(i + 1)..]]);
        }

        foreach (var surviving in survivors)
        {
            _inspect(step, Left(surviving, contentsKept: true));
            _inspect(step, Left(surviving, contentsKept: false));
        }
    }

    /// <summary>What is left where these of the waiting changes have reached the disk.</summary>
    private Remains Left(IReadOnlyList<NameChange> surviving, bool contentsKept)
    {
        var names = new Dictionary<SimulatedEntry, Dictionary<string, SimulatedEntry>>();
        foreach (var change in surviving)
        {
            foreach (var (folder, name, entry) in change.Sets)
            {
                if (!names.TryGetValue(folder, out var its))
                    names.Add(folder, its = new Dictionary<string, SimulatedEntry>(folder.FlushedNames, StringComparer.Ordinal));
                if (entry is null) its.Remove(name);
                else its[name] = entry;
            }
        }

        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Walk(_top, "");
        return new Remains(files, surviving.Count == _waiting.Count && contentsKept);

        void Walk(SimulatedEntry folder, string path)
        {
            foreach (var (name, entry) in names.GetValueOrDefault(folder) ?? folder.FlushedNames)
            {
                if (entry.IsFolder)
                {
                    files.Add(path + name + "/", "");
                    Walk(entry, path + name + "/");
                }
                else
                {
                    files.Add(path + name, contentsKept ? entry.Content : entry.Flushed ?? "lost");
                }
            }
        }
    }

    private static void Apply(NameChange change)
    {
        foreach (var (folder, name, entry) in change.Sets)
        {
            if (entry is null) folder.FlushedNames.Remove(name);
            else folder.FlushedNames[name] = entry;
        }
    }

    private static void Settle(SimulatedEntry folder)
    {
        foreach (var entry in folder.Names.Values)
        {
            entry.Flushed = entry.Content;
            if (entry.IsFolder) Settle(entry);
        }
    }

    /// <summary>Takes in what has changed since the last look.</summary>
    private void Look() => Look(_top, _root);

    private void Look(SimulatedEntry folder, string path)
    {
        var there = new Dictionary<string, FileSystemInfo>(StringComparer.Ordinal);
        foreach (var info in new DirectoryInfo(path).EnumerateFileSystemInfos()) there.Add(info.Name, info);
        foreach (var (name, entry) in folder.Names.ToList())
        {
            if (!there.TryGetValue(name, out var info) || info is DirectoryInfo != entry.IsFolder)
                Change(new NameChange([(folder, name, null)], folder));
        }

        foreach (var (name, info) in there)
        {
            if (!folder.Names.TryGetValue(name, out var entry))
                Change(new NameChange([(folder, name, entry = new SimulatedEntry(info is DirectoryInfo))], folder));
            if (info is DirectoryInfo) Look(entry, info.FullName);
            else entry.Content = Digest(info.FullName);
        }
    }

    private void Change(NameChange change)
    {
        foreach (var (folder, name, entry) in change.Sets)
        {
            if (entry is null) folder.Names.Remove(name);
            else folder.Names[name] = entry;
        }

        _waiting.Add(change);
    }

    private void Moved(string from, string to)
    {
        if (Parent(from) is not { } source || Parent(to) is not { } target) return;
        string name = Path.GetFileName(from);
        Change(new NameChange([(source, name, null), (target, Path.GetFileName(to), source.Names[name])], target));
    }

    private void MarkFlushed(string path)
    {
        if (Find(path) is not { } entry) return;
        entry.Content = Digest(path);
        entry.Flushed = entry.Content;
    }

    private SimulatedEntry? Parent(string path) => Find(Path.GetDirectoryName(Path.GetFullPath(path))!);

    private SimulatedEntry? Find(string path)
    {
        string relative = Path.GetRelativePath(_root, Path.GetFullPath(path));
        if (relative == ".") return _top;
        if (relative.StartsWith("..", StringComparison.Ordinal)) return null;
        SimulatedEntry? entry = _top;
        foreach (string name in relative.Split(Path.DirectorySeparatorChar)) entry = entry?.Names.GetValueOrDefault(name);
        return entry;
    }

    private string Name(string path) => Path.GetRelativePath(_root, path);

    private static string Digest(string path)
    {
        try
        {
            // A writer's own lock is no obstacle to looking.
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return Convert.ToHexString(SHA256.HashData(stream));
        }
        catch (IOException)
        {
            return "locked";
        }
    }
}

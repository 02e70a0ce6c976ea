using Wisca.Files;

namespace Wisca.Core.Tests.Files;

/// <summary>The system's file system, with what was done in its order; ids are fixed, and a step can be made to fail.</summary>
internal sealed class RecordingDisk(string root, bool exchanges = true) : Disk
{
    public const string FirstId = "00000000000000000000000000000001";

    private int _ids;

    /// <summary>The steps, with paths below the root.</summary>
    public List<string> Steps { get; } = [];

    /// <summary>Called with each step before it is done.</summary>
    public Action<string>? Before { get; set; }

    public override string NewId() => $"{++_ids:x32}";

    public override void Flush(FileStream stream)
    {
        Record($"flush {Name(stream.Name)}");
        base.Flush(stream);
    }

    public override void FlushFile(string path)
    {
        Record($"flush {Name(path)}");
        base.FlushFile(path);
    }

    public override void FlushFolder(string path)
    {
        Record($"flush {Name(path)}/");
        base.FlushFolder(path);
    }

    public override void MoveFile(string from, string to, bool replace)
    {
        Record($"move {Name(from)} -> {Name(to)}");
        base.MoveFile(from, to, replace);
    }

    public override void DeleteFile(string path)
    {
        Record($"delete {Name(path)}");
        base.DeleteFile(path);
    }

    public override void MoveFolder(string from, string to)
    {
        Record($"move {Name(from)}/ -> {Name(to)}/");
        base.MoveFolder(from, to);
    }

    public override bool TryExchange(string a, string b)
    {
        if (!exchanges) return false;
        Record($"exchange {Name(a)}/ <-> {Name(b)}/");

        // A system that cannot is none for the order that is asked about here.
        if (base.TryExchange(a, b)) return true;
        string aside = a + ".aside";
        Directory.Move(b, aside);
        Directory.Move(a, b);
        Directory.Move(aside, a);
        return true;
    }

    public override void TryDeleteFolder(string folder)
    {
        if (Directory.Exists(folder)) Record($"delete {Name(folder)}/");
        base.TryDeleteFolder(folder);
    }

    private string Name(string path)
    {
        string name = Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/');
        return name.Replace($".{FirstId}.wisca-partial", "~", StringComparison.Ordinal);
    }

    private void Record(string step)
    {
        Before?.Invoke(step);
        Steps.Add(step);
    }
}

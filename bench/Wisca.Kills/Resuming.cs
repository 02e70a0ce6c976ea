namespace Wisca.Kills;

/// <summary>A command that goes on where it was killed: each part that it finished is that of an undisturbed run.</summary>
/// <param name="name">Its name.</param>
/// <param name="command">The command.</param>
/// <param name="output">The folder that it writes.</param>
/// <param name="parts">The folder in the output that holds the parts, a folder each.</param>
/// <param name="final">The file of a part without which it does not count; null where the part itself appears whole.</param>
internal sealed class Resuming(string name, string[] command, string output, string parts, string? final) : Subject(name)
{
    private readonly Dictionary<string, string> _parts = new(StringComparer.Ordinal);

    public override string[] Command => command;

    private string Parts => Path.Combine(output, parts);

    public override void Prepare()
    {
        (_, Time) = Victim.Run(command);
        foreach (var (part, contents) in Finished()) _parts.Add(part, contents);
        if (_parts.Count == 0) throw new KillFault("nothing was made");
        Directory.Delete(output, recursive: true);
    }

    public override bool Writes() => Unfinished().Any();

    public override void Check()
    {
        if (Writes()) Leftovers++;
        int finished = 0;
        foreach (var (part, contents) in Finished())
        {
            if (!_parts.TryGetValue(part, out string? expected)) throw new KillFault($"{part} is no part of an undisturbed run");
            if (contents != expected) throw new KillFault($"{part} is another than that of an undisturbed run");
            finished++;
        }

        if (finished > 0) New++;
        else Old++;

        // Every other time it is killed again where it was; otherwise it has to get to its end.
        if ((Old + New) % 2 == 1) return;
        Victim.Run(command);
        var all = Finished().ToList();
        if (all.Count != _parts.Count || all.Any(part => _parts[part.Name] != part.Contents))
            throw new KillFault("the next run did not end where an undisturbed one does");
        if (Unfinished().FirstOrDefault() is { } left) throw new KillFault($"the next run left {left}");
        Directory.Delete(output, recursive: true);
    }

    private IEnumerable<(string Name, string Contents)> Finished() => !Directory.Exists(Parts) ? [] :
    [
        .. Directory.EnumerateDirectories(Parts)
            .Where(part => !Path.GetFileName(part).StartsWith('.') && (final is null || File.Exists(Path.Combine(part, final))))
            .Select(part => (Path.GetFileName(part), Contents.Of(final is null ? part : Path.Combine(part, final))!)),
    ];

    private IEnumerable<string> Unfinished() => !Directory.Exists(output) ? [] :
        Directory.EnumerateFileSystemEntries(
            output,
            ".*" + Working,
            new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = true });
}

namespace Wisca.Kills;

/// <summary>A command that replaces an older output by --force.</summary>
/// <param name="name">Its name.</param>
/// <param name="old">Makes the old output.</param>
/// <param name="command">Makes the new one.</param>
/// <param name="places">The outputs, all in one folder of their own.</param>
/// <param name="belong">Whether a new output must never stand beside an old one.</param>
/// <param name="reader">Where it may: a command that takes both, and has to refuse them then.</param>
internal sealed class Replacing(
    string name, string[] old, string[] command, string[] places, bool belong = false, string[]? reader = null) : Subject(name)
{
    private readonly string _folder = Path.GetDirectoryName(places[0])!;
    private string?[] _old = [], _new = [];
    private string[] _names = [];

    public override string[] Command => command;

    public override void Prepare()
    {
        Directory.CreateDirectory(_folder);
        Victim.Run(command);
        (_, Time) = Victim.Run(command);
        _new = [.. places.Select(Contents.Of)];
        Victim.Run(old);
        _old = [.. places.Select(Contents.Of)];
        _names = Names();
        if (_old.Zip(_new).Any(pair => pair.First is null || pair.Second is null || pair.First == pair.Second))
            throw new KillFault("old and new cannot be told apart");
    }

    /// <remarks>An evaluation keeps what it has in NAME.partial, from which the same command goes on.</remarks>
    public override bool Writes() => Directory.EnumerateFileSystemEntries(_folder, "*partial").Any();

    public override void Check()
    {
        string?[] now = [.. places.Select(Contents.Of)];
        if (Writes()) Leftovers++;
        for (int i = 0; i < places.Length; i++)
        {
            // What belongs together may be gone for a moment, so that the new is never seen beside the old.
            if (now[i] == _old[i] || now[i] == _new[i] || (belong && now[i] is null)) continue;
            throw new KillFault($"{places[i]} is neither the old nor the new: {now[i] ?? "gone"}");
        }

        bool anyOld = now.Zip(_old).Any(pair => pair.First == pair.Second), anyNew = now.Zip(_new).Any(pair => pair.First == pair.Second);
        if (belong && anyOld && anyNew) throw new KillFault($"an old file beside a new one: {string.Join(", ", places)}");
        if (reader is not null && anyOld && anyNew)
        {
            Torn++;
            if (!Victim.Refuses(reader)) throw new KillFault($"an old output beside a new one was taken: {string.Join(", ", places)}");
        }

        if (anyNew) New++;
        else Old++;
        Victim.Run(old);
        if (!_old.SequenceEqual(places.Select(Contents.Of))) throw new KillFault("the next run did not make what it makes");
        if (Names().Except(_names).FirstOrDefault() is { } left) throw new KillFault($"the next run left {left}");
    }

    private string[] Names() => [.. Directory.EnumerateFileSystemEntries(_folder).Select(path => Path.GetFileName(path))];
}

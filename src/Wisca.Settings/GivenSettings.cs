namespace Wisca.Settings;

/// <summary>What was given in a section, as opposed to defaults, and where faults are reported.</summary>
public sealed class GivenSettings
{
    private readonly SettingsBinder _binder;
    private readonly MappingNode? _section;
    private readonly string _path;
    private readonly string _place;

    internal GivenSettings(SettingsBinder binder, MappingNode? section, string path, string place) =>
        (_binder, _section, _path, _place) = (binder, section, path, place);

    /// <summary>True where a key was given.</summary>
    /// <param name="key">The key below the section, with dots between levels.</param>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>
    /// The layer that gave a key: a later one is higher. Where none of those that are read here did, -1: what they are laid over may have
    /// done so.
    /// </summary>
    /// <param name="key">The key below the section, with dots between levels.</param>
    public int Layer(string key) => Find(key)?.Layer ?? -1;

    /// <summary>
    /// Decides between two ways of saying one thing: what a later layer says replaces what an earlier one said. In one layer both are a
    /// contradiction, which is reported.
    /// </summary>
    /// <param name="first">A key below the section.</param>
    /// <param name="firstSays">Whether it says anything: false for none.</param>
    /// <param name="second">Another key.</param>
    /// <param name="secondSays">Whether that says anything.</param>
    /// <returns>Above 0 where the second is to be forgotten, below 0 where the first is; 0 where nothing is.</returns>
    public int Decide(string first, bool firstSays, string second, bool secondSays)
    {
        if (!firstSays || !secondSays) return 0;
        int order = Layer(first).CompareTo(Layer(second));
        if (order == 0) Contradict([first, second], $"given together with {_path}{second}, expected one of the two");
        return order;
    }

    /// <summary>
    /// Reports settings that contradict each other, at the place of the first of them that was given. Nothing is reported where one of
    /// them is already known to be wrong: its value is not what the user meant.
    /// </summary>
    /// <param name="keys">The keys below the section that take part, with dots between levels; the message is about the first.</param>
    /// <param name="message">What is wrong, and what was expected.</param>
    public void Contradict(IReadOnlyList<string> keys, string message)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Any(key => _binder.IsFaulty(_path + key))) return;
        _binder.Fault(keys.Select(Find).FirstOrDefault(entry => entry is not null)?.Place ?? _place, _path + keys[0], message);
    }

    private MappingEntry? Find(string key)
    {
        var mapping = _section;
        MappingEntry? entry = null;
        foreach (string part in key.Split('.'))
        {
            if ((entry = mapping?.Find(part)) is null) return null;
            mapping = entry.Value as MappingNode;
        }

        return entry;
    }
}

using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>
/// Finds tensors of a base by the names that an adapter has for them, which may be those of another way to save the same model
/// (<see cref="ModuleNames"/>).
/// </summary>
public sealed class BaseNames
{
    private readonly HashSet<string> _names;
    private readonly Lazy<ILookup<string, string>> _canonical;

    /// <param name="names">The names of the base's tensors.</param>
    public BaseNames(IEnumerable<string> names)
    {
        _names = new HashSet<string>(names, StringComparer.Ordinal);
        _canonical = new(() => _names.ToLookup(ModuleNames.Canonical, StringComparer.Ordinal));
    }

    /// <summary>The base's name: the same, or the only one that is the same behind wrappers and roots, or the only one that ends like it;
    /// null where there is none.</summary>
    /// <param name="name">The adapter's name.</param>
    /// <param name="ambiguous">True where several would do, and none is taken.</param>
    public string? Find(string name, out bool ambiguous)
    {
        ArgumentNullException.ThrowIfNull(name);
        ambiguous = false;
        if (_names.Contains(name)) return name;
        string[] found = [.. _canonical.Value[ModuleNames.Canonical(name)].Take(2)];
        if (found.Length == 0) found = [.. _names.Where(candidate => TargetModules.EndsWith(candidate, name)).Take(2)];
        ambiguous = found.Length > 1;
        return found.Length == 1 ? found[0] : null;
    }
}

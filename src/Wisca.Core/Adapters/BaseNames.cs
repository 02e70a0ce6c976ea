namespace Wisca.Adapters;

/// <summary>
/// Finds tensors of a base by the names that an adapter has for them: a base model saved without its head lacks the first parts of the
/// names, and an adapter made for such a one lacks them too.
/// </summary>
public sealed class BaseNames(IEnumerable<string> names)
{
    private static readonly string[] Roots = ["model", "transformer", "gpt_neox", "language_model", "decoder"];
    private readonly HashSet<string> _names = new(names, StringComparer.Ordinal);

    /// <summary>The base's name: the same, or what is left of it behind the model's root,
    /// or the only one that ends like it; null where there is none.</summary>
    public string? Find(string name, out bool ambiguous)
    {
        ambiguous = false;
        for (string rest = name; ;)
        {
            if (_names.Contains(rest)) return rest;
            int dot = rest.IndexOf('.');
            if (dot < 0 || !Roots.Contains(rest[..dot])) break;
            rest = rest[(dot + 1)..];
        }

        string[] longer = [.. _names.Where(candidate => TargetModules.EndsWith(candidate, name)).Take(2)];
        ambiguous = longer.Length > 1;
        return longer.Length == 1 ? longer[0] : null;
    }
}

using System.IO.Enumeration;

namespace Wisca.Architectures;

/// <summary>Finds the declared weight that a tensor belongs to, by its name relative to the layer or the model's prefix.</summary>
internal sealed class WeightNames
{
    private readonly Dictionary<string, WeightTable> _byName;
    private readonly string[] _buffers;

    public WeightNames(IEnumerable<WeightTable> weights, IEnumerable<string> buffers)
    {
        _byName = new Dictionary<string, WeightTable>(StringComparer.Ordinal);
        foreach (var weight in weights) _byName.TryAdd(weight.Name, weight);
        _buffers = [.. buffers];
    }

    /// <summary>True for a tensor that is no weight.</summary>
    public bool IsBuffer(string name) =>
        _buffers.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));

    /// <summary>Finds the weight; null where none is declared.</summary>
    /// <param name="name">The tensor's relative name.</param>
    /// <returns>The weight, what stands for its * (empty where it has none), and what of it the tensor is.</returns>
    public (WeightTable Weight, string Expert, WeightPart Part)? Find(string name)
    {
        // Parameters that are no module's have no .weight: mlp.experts.gate_up_proj, and gate_up_proj_bias beside it.
        if (FindModule(name, "", out var found)) return (found.Weight, found.Expert, WeightPart.Matrix);
        if (FindModule(name, ".weight", out found)) return (found.Weight, found.Expert, WeightPart.Matrix);
        if (FindModule(name, ".bias", out found) || FindModule(name, "_bias", out found))
            return (found.Weight, found.Expert, WeightPart.Bias);
        for (int end = name.Length - 1; end > 0; end--)
        {
            if (name[end] is not ('.' or '_') || !FindModule(name[..end], "", out found)) continue;
            if (name[end] == '.' || found.Weight.Stacked) return (found.Weight, found.Expert, WeightPart.Packed);
        }

        return null;
    }

    private bool FindModule(string name, string suffix, out (WeightTable Weight, string Expert) found)
    {
        found = default;
        if (!name.EndsWith(suffix, StringComparison.Ordinal)) return false;
        string module = name[..^suffix.Length];
        if (_byName.TryGetValue(module, out var weight))
        {
            found = (weight, "");
            return !module.Contains('*');
        }

        for (int start = 0; start < module.Length;)
        {
            int dot = module.IndexOf('.', start);
            int end = dot < 0 ? module.Length : dot;
            if (end > start && module.AsSpan(start, end - start).IndexOfAnyExceptInRange('0', '9') < 0
                && _byName.TryGetValue(string.Concat(module.AsSpan(0, start), "*", module.AsSpan(end)), out weight))
            {
                found = (weight, module[start..end]);
                return true;
            }

            start = end + 1;
        }

        return false;
    }
}

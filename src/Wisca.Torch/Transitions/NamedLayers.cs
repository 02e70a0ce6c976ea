using System.Collections.Immutable;
using TorchSharp.Modules;
using Wisca.Attention;

namespace Wisca.Torch.Transitions;

/// <summary>Finds the layers that <see cref="AttentionNames"/> describe.</summary>
internal static class NamedLayers
{
    public static ImmutableArray<AttentionLayer> Find(IReadOnlyList<(string Name, Parameter Parameter)> parameters, AttentionNames names)
    {
        if (names.Heads < 1 || names.KvHeads < 1 || names.Heads % names.KvHeads != 0)
            throw new WiscaException(
                $"{names.Heads} query heads cannot share {names.KvHeads} kv heads evenly",
                "the number of heads must be a multiple of the number of kv heads");
        if (names.RotaryDims < 0 || names.RotaryDims > names.HeadDim || names.RotaryDims % 2 != 0)
            throw new WiscaException(
                $"{names.RotaryDims} rotary channels in heads of {names.HeadDim}",
                "expected an even number of at most head_dim");
        var shapes = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter.shape, StringComparer.Ordinal);
        var layers = ImmutableArray.CreateBuilder<AttentionLayer>();
        foreach (int layer in Indices(shapes.Keys, names.Query))
        {
            var refusals = ImmutableDictionary<TransitionKind, string>.Empty;
            if (names.QkNorm)
                refusals = refusals.Add(
                    TransitionKind.QueryKey,
                    "queries and keys are normalised between projection and dot product (QK-norm)");
            layers.Add(new AttentionLayer(
                layers.Count,
                Projection(names.Query, names.Heads, 0),
                Projection(names.Key, names.KvHeads, 0),
                Projection(names.Value, names.KvHeads, 0),
                Projection(names.Output, names.Heads, 1),
                names.RotaryDims,
                refusals));

            Projection Projection(string pattern, int heads, int axis)
            {
                string module = pattern.Replace("*", $"{layer}", StringComparison.Ordinal);
                string weight = module + ".weight", bias = module + ".bias";
                if (!shapes.TryGetValue(weight, out long[]? shape))
                    throw new WiscaException(
                        $"the model has no parameter '{weight}'",
                        $"pattern {pattern} names a module that has a weight");
                if (shape.Length != 2 || shape[axis] != heads * names.HeadDim)
                {
                    throw new WiscaException(
                        $"parameter '{weight}' has shape [{string.Join(", ", shape)}], expected {heads} heads of {names.HeadDim} channels "
                        + $"along axis {axis}",
                        "check the numbers of heads and head_dim, and that the weight is [out, in]");
                }

                return new Projection(
                    weight,
                    axis == 0 && shapes.ContainsKey(bias) ? bias : null,
                    axis,
                    [.. Enumerable.Range(0, heads).Select(head => head * names.HeadDim)]);
            }
        }

        return layers.Count > 0 ? layers.ToImmutable()
            : throw new WiscaException(
                $"no parameter matches '{names.Query}.weight'",
                $"the model's parameters are {string.Join(", ", shapes.Keys.Take(4))}, ...; * stands for the layer's number");
    }

    /// <summary>The numbers of the layers that have a parameter of a pattern.</summary>
    public static IEnumerable<int> Indices(IEnumerable<string> parameters, string pattern)
    {
        string[] parts = (pattern + ".weight").Split('*');
        if (parts.Length != 2)
            throw new WiscaException(
                $"'{pattern}' does not have one * in it",
                "it stands for the number of the layer: blocks.*.attention.query");
        return parameters
            .Where(name =>
                name.Length > parts[0].Length + parts[1].Length
                && name.StartsWith(parts[0], StringComparison.Ordinal)
                && name.EndsWith(parts[1], StringComparison.Ordinal))
            .Select(name =>
                int.TryParse(name.AsSpan(parts[0].Length, name.Length - parts[0].Length - parts[1].Length), out int layer) ? layer : -1)
            .Where(layer => layer >= 0).Order();
    }
}

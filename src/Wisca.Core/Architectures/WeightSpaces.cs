namespace Wisca.Architectures;

/// <summary>Whether the spaces that a table's weights lead from and to fit each other.</summary>
internal static class WeightSpaces
{
    /// <summary>The spaces that attention makes: of its queries, keys and values, and of what it keeps of the stream for them.</summary>
    private static readonly string[] Heads = ["q", "k", "v", "latent"];

    /// <summary>Says what is wrong with them; null where nothing is.</summary>
    public static string? Check(ArchitectureTable table) =>
        Check("model_weights", table.ModelWeights, [], [])
        ?? Check(
            "layer_weights", table.LayerWeights, table.Attention.SelectMany(layout => (layout.From ?? []).Concat(layout.KvFrom ?? [])),
            table.Attention.SelectMany(layout => layout.To ?? []));

    private static string? Check(
        string list, IReadOnlyList<WeightTable> weights, IEnumerable<string> attentionFrom, IEnumerable<string> attentionTo)
    {
        var norms = weights.Where(weight => weight.Norm is not null).ToLookup(weight => weight.To is null, weight => weight.Name);
        HashSet<string> made = [ModelMap.Stream, .. Heads, .. norms[true]], taken = [ModelMap.Stream, .. norms[false]];
        foreach (var weight in weights)
        {
            if (weight.Norm is null) made.UnionWith(Written(weight));
            taken.UnionWith(weight.From ?? []);
        }

        foreach (var weight in weights)
        {
            if (weight.From?.FirstOrDefault(space => !made.Contains(space)) is { } unknown)
                return $"{list}: {weight.Name} reads '{unknown}', which nothing writes";
            if (weight.Activation?.Gate is { } gate && !weights.Any(other => other.Norm is null && other.Name == gate))
                return $"{list}: {weight.Name} is gated by '{gate}', which is no weight of the list";
            if (weight.Activation is not null && !Written(weight).Any(space => IsBetween(space, norms[true], norms[false])))
                return $"{list}: {weight.Name} has an activation, but writes nothing between two weights";
            if (Written(weight).FirstOrDefault(space => !taken.Contains(space)) is { } unread)
                return $"{list}: {weight.Name} writes '{unread}', which nothing reads; leave it out";
        }

        return attentionFrom.FirstOrDefault(space => space != ModelMap.Stream && !norms[true].Contains(space)) is { } from
                ? $"attention reads '{from}', expected stream or a norm of {list} that reads it"
            : attentionTo.FirstOrDefault(space => space != ModelMap.Stream && !norms[false].Contains(space)) is { } to
                ? $"attention writes '{to}', expected stream or a norm of {list} that writes it"
            : null;
    }

    /// <summary>True for a space that is neither the stream nor beside a norm.</summary>
    internal static bool IsBetween(string space, IEnumerable<string> norms, IEnumerable<string> normsBehind) =>
        space != ModelMap.Stream && !norms.Contains(space) && !normsBehind.Contains(space);

    private static IEnumerable<string> Written(WeightTable weight) =>
        (weight.To ?? []).Concat(weight.Parts ?? []).Where(space => space != WeightTable.Unread);
}

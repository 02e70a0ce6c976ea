using System.Text.Json.Nodes;
using Wisca.Adapters;

namespace Wisca.Commands.Verbs;

/// <summary>What a user is told of how an adapter and its base went together.</summary>
internal static class AdapterNotes
{
    /// <summary>A line each.</summary>
    public static IEnumerable<string> Of(AdapterBinding binding)
    {
        foreach (var (from, to) in binding.Renamed)
            yield return $"names: '{from}' of the adapter's names is '{to}' in the base's";
        if (binding.Missing is { } missing) yield return $"the adapter lacks a part of itself (--allow-partial): {missing}";
    }

    /// <summary>A line each, of a model that the adapter was merged into.</summary>
    public static IEnumerable<string> OfMerged(AdapterBinding binding)
    {
        if (binding.UntiedHead is { } head)
            yield return
                $"untied: {head.Name} is a matrix of its own now (tie_word_embeddings false): the base ties it to "
                + $"{head.Embedding.Info.Name}, and the adapter does not change both alike";
        foreach (var (_, name) in binding.NewHeads) yield return $"new: {name}, which the base lacks; config.json says what model it makes";
    }

    /// <summary>The lines for JSON.</summary>
    public static JsonArray Json(IEnumerable<string> lines) => [.. lines.Select(line => (JsonNode?)JsonValue.Create(line))];
}

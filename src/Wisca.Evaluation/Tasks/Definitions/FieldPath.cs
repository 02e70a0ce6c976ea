using System.Globalization;
using System.Text.Json.Nodes;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>Finds a field of a document by its path: <c>question.choices[0].text</c>;
/// a name applied to a list is applied to each item.</summary>
internal static class FieldPath
{
    /// <exception cref="WiscaException">The field is missing.</exception>
    public static JsonNode? Find(JsonObject document, string path)
    {
        JsonNode? value = document;
        foreach (string step in path.Replace("[", ".[", StringComparison.Ordinal).Split('.')) value = Step(value, step, path);
        return value;
    }

    private static JsonNode? Step(JsonNode? value, string step, string path)
    {
        if (step[0] == '[')
        {
            int index = int.Parse(step.AsSpan(1, step.Length - 2), CultureInfo.InvariantCulture);
            return value is JsonArray list && index < list.Count
                ? list[index]
                : throw new WiscaException($"the field '{path}' has no item {index}");
        }

        return value switch
        {
            JsonObject mapping when mapping.TryGetPropertyValue(step, out var found) => found,
            JsonArray list => new JsonArray([.. list.Select(item => Step(item, step, path)?.DeepClone())]),
            _ => throw new WiscaException($"the field '{path}' is missing"),
        };
    }
}

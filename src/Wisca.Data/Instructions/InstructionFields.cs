using System.Text.Json;

namespace Wisca.Data.Instructions;

/// <summary>The keys of an example, or of a message in it, and which of them were asked for. What is null is missing.</summary>
internal sealed class InstructionFields(JsonElement item, string place)
{
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <summary>Where it stands, for messages.</summary>
    public string Place => place;

    /// <summary>The keys that say something and that nobody asked for.</summary>
    public IEnumerable<string> Unused =>
        item.EnumerateObject().Where(property => !_used.Contains(property.Name) && Says(property.Value)).Select(property => property.Name);

    /// <summary>A value; null where the key is missing, or null.</summary>
    public JsonElement? Find(string key)
    {
        _used.Add(key);
        return item.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>True where a key says 0; another value says nothing that is known here.</summary>
    public bool IsZero(string key)
    {
        bool zero = item.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0;
        if (zero) _used.Add(key);
        return zero;
    }

    /// <summary>A text; null where the key is missing, or null.</summary>
    public string? FindText(string key) => Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw new WiscaException($"{place}: '{key}' is no text", "expected a string");

    /// <summary>The text of the first of several keys that is there, and not null; null where none is.</summary>
    public string? FindText(params IEnumerable<string> keys) => keys.Select(FindText).FirstOrDefault(text => text is not null);

    /// <summary>True where a key is there, be it null.</summary>
    public bool Has(string key) => item.TryGetProperty(key, out _);

    /// <summary>What is missing, and what is there instead.</summary>
    public WiscaException Missing(string key) =>
        new($"{place}: no '{key}'", $"it has {string.Join(", ", item.EnumerateObject().Select(property => property.Name))}");

    private static bool Says(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => false,
        JsonValueKind.String => value.GetString()!.Length > 0,
        JsonValueKind.Array => value.GetArrayLength() > 0,
        JsonValueKind.Object => value.EnumerateObject().Any(property => Says(property.Value)),
        _ => true,
    };
}

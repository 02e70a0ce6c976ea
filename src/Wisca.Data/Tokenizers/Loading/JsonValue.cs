using System.Text.Json;
using Wisca.Checkpoints;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>A value of a JSON file that knows where it stands, so that every error names file and key. Null counts as absent.</summary>
internal readonly struct JsonValue
{
    private const string Hint = "the tokenizer's files are damaged or of another kind";

    private JsonValue(JsonElement element, string where)
    {
        Element = element;
        Where = where;
    }

    public JsonElement Element { get; }

    /// <summary>File and path, as in <c>tokenizer.json: model.merges</c>.</summary>
    public string Where { get; }

    /// <summary>Reads a file that holds a JSON object.</summary>
    /// <exception cref="WiscaException">It does not, or cannot be read.</exception>
    public static JsonValue Load(string path)
    {
        using var document = JsonFile.ReadObject(path, "the tokenizer's files are damaged; fetch them again");
        return new JsonValue(document.RootElement.Clone(), Path.GetFileName(path) + ":");
    }

    /// <summary>Another value that stands in this one's place.</summary>
    public JsonValue With(JsonElement element) => new(element, Where);

    public JsonValue? Find(string key)
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Wrong("an object");
        bool found = Element.TryGetProperty(key, out var element) && element.ValueKind != JsonValueKind.Null;
        return found ? new JsonValue(element, Where.EndsWith(':') ? $"{Where} {key}" : $"{Where}.{key}") : null;
    }

    public JsonValue Require(string key) =>
        Find(key) ?? throw new WiscaException($"{(Where.EndsWith(':') ? Where : Where + ":")} the key {key} is missing", Hint);

    public string Text() => Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Wrong("a string");

    public bool Flag() =>
        Element.ValueKind is JsonValueKind.True or JsonValueKind.False ? Element.GetBoolean() : throw Wrong("true or false");

    public int Number() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) ? value : throw Wrong("a whole number");

    public bool Flag(string key, bool otherwise) => Find(key)?.Flag() ?? otherwise;

    public IEnumerable<JsonValue> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array) throw Wrong("a list");
        string where = Where;
        return Element.EnumerateArray().Select((item, index) => new JsonValue(item, $"{where}[{index}]"));
    }

    public IEnumerable<(string Key, JsonValue Value)> Properties()
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Wrong("an object");
        string where = Where;
        return Element.EnumerateObject().Select(property => (property.Name, new JsonValue(property.Value, where)));
    }

    /// <summary>The error of a value that is not what it should be.</summary>
    public WiscaException Wrong(string expected)
    {
        string text = Element.GetRawText();
        return new WiscaException(
            $"{Where} is {(text.Length > 60 ? string.Concat(text.AsSpan(0, 60), "...") : text)}, expected {expected}",
            Hint);
    }
}

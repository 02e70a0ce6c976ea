using System.Text.Json;

namespace Wisca.Checkpoints;

/// <summary>
/// A model's <c>config.json</c>. Keys may be dotted paths (<c>attn_config.clip_qkv</c>). A key that is absent and one that is
/// null are the same but to <see cref="IsNull"/>.
/// </summary>
public sealed class ModelConfig
{
    private const string Hint = "a model folder needs the config.json that Hugging Face saves beside the weights";
    private readonly JsonElement _root;

    private ModelConfig(JsonElement root, string file)
    {
        _root = root;
        File = file;
    }

    /// <summary>The file's name for error messages.</summary>
    public string File { get; }

    /// <summary>The whole object.</summary>
    public JsonElement Root => _root;

    /// <summary>The value of <c>model_type</c>.</summary>
    /// <exception cref="WiscaException">The key is missing or not a string.</exception>
    public string ModelType => Find("model_type") is { ValueKind: JsonValueKind.String } element
        ? element.GetString()!
        : throw new WiscaException($"{File}: no string model_type", "is this the config.json of a Hugging Face Transformer?");

    /// <summary>Reads <c>config.json</c>.</summary>
    /// <exception cref="WiscaException">The file is missing or not a JSON object.</exception>
    public static ModelConfig Load(string path)
    {
        using var document = JsonFile.ReadObject(path, Hint);
        return new ModelConfig(document.RootElement.Clone(), Path.GetFileName(path));
    }

    /// <summary>Takes another kind of configuration, to read its keys as strictly.</summary>
    internal static ModelConfig Of(JsonElement root, string file) => new(root, file);

    /// <summary>Takes a configuration from a JSON object.</summary>
    /// <exception cref="WiscaException">The text is not a JSON object.</exception>
    public static ModelConfig Parse(string json)
    {
        const string name = "config.json";
        using var document = JsonFile.ParseObject(System.Text.Encoding.UTF8.GetBytes(json), name, Hint);
        return new ModelConfig(document.RootElement.Clone(), name);
    }

    /// <summary>The value at a dotted path; null where it is absent or null.</summary>
    public JsonElement? Find(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var element = _root;
        foreach (string part in key.Split('.'))
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(part, out element)) return null;
        }

        return element.ValueKind == JsonValueKind.Null ? null : element;
    }

    /// <summary>True where the key is there and null.</summary>
    public bool IsNull(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        int dot = key.LastIndexOf('.');
        return (dot < 0 ? _root : Find(key[..dot])) is { ValueKind: JsonValueKind.Object } parent
            && parent.TryGetProperty(key[(dot + 1)..], out var element) && element.ValueKind == JsonValueKind.Null;
    }

    /// <summary>The object under a key as a configuration of its own; null where the key is absent.</summary>
    /// <exception cref="WiscaException">The value is something else.</exception>
    public ModelConfig? Section(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } element => new ModelConfig(element, $"{File} {key}"),
        { } element => throw Wrong(key, "an object", element),
    };

    /// <summary>A whole number of at least <paramref name="minimum"/>; null where the key is absent.</summary>
    /// <exception cref="WiscaException">The value is something else.</exception>
    public int? FindInt(string key, int minimum = 1)
    {
        if (Find(key) is not { } element) return null;
        if (element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) && value >= minimum) return value;
        throw Wrong(key, $"a whole number from {minimum}", element);
    }

    /// <summary>A finite number; null where the key is absent.</summary>
    /// <exception cref="WiscaException">The value is something else.</exception>
    public double? FindNumber(string key)
    {
        if (Find(key) is not { } element) return null;
        if (element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value)) return value;
        throw Wrong(key, "a number", element);
    }

    /// <summary>True or false; null where the key is absent.</summary>
    /// <exception cref="WiscaException">The value is something else.</exception>
    public bool? FindBool(string key)
    {
        if (Find(key) is not { } element) return null;
        return element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(key, "true or false", element),
        };
    }

    /// <summary>A string; null where the key is absent.</summary>
    /// <exception cref="WiscaException">The value is something else.</exception>
    public string? FindString(string key)
    {
        if (Find(key) is not { } element) return null;
        return element.ValueKind == JsonValueKind.String ? element.GetString() : throw Wrong(key, "a string", element);
    }

    private WiscaException Wrong(string key, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new WiscaException(
            $"{File}: {key} is {(text.Length > 60 ? string.Concat(text.AsSpan(0, 60), "...") : text)}, expected {expected}",
            "mend the configuration");
    }
}

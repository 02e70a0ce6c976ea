using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

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
    /// <param name="path">The file.</param>
    /// <param name="hint">What to do where it is broken; null for what helps with a model's.</param>
    /// <exception cref="WiscaException">The file is missing or not a JSON object.</exception>
    public static ModelConfig Load(string path, string? hint = null)
    {
        using var document = JsonFile.ReadObject(path, hint ?? Hint);
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

    /// <summary>The same with numbers where keys are absent, as a configuration class has them.</summary>
    internal ModelConfig WithDefaults(IReadOnlyDictionary<string, int>? defaults)
    {
        if (defaults is null) return this;
        var root = JsonObject.Create(_root)!;
        foreach (var (key, number) in defaults)
        {
            if (!root.ContainsKey(key)) root[key] = number;
        }

        using var document = JsonDocument.Parse(root.ToJsonString());
        return new ModelConfig(document.RootElement.Clone(), File);
    }

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

    /// <summary>The whole number that one of several spellings gives; null where none of them is there.</summary>
    /// <param name="keys">The spellings, as dotted paths.</param>
    /// <param name="minimum">The least number allowed.</param>
    /// <exception cref="WiscaException">A value is something else, or two of them differ: which one rules is not guessed.</exception>
    public int? FindInt(IReadOnlyList<string> keys, int minimum = 1) => FindOne(keys, key => FindInt(key, minimum));

    /// <summary>The finite number that one of several spellings gives; null where none of them is there.</summary>
    /// <param name="keys">The spellings, as dotted paths.</param>
    /// <exception cref="WiscaException">A value is something else, or two of them differ: which one rules is not guessed.</exception>
    public double? FindNumber(IReadOnlyList<string> keys) => FindOne(keys, FindNumber);

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

    /// <summary>The error that two keys which say the same thing say it differently.</summary>
    internal WiscaException Conflict(string key, object value, string other, object otherValue) => new(
        string.Create(CultureInfo.InvariantCulture, $"{File}: {key} is {value}, but {other} is {otherValue}"),
        "take out the one that does not hold: which of them rules differs between programs and their versions");

    private T? FindOne<T>(IReadOnlyList<string> keys, Func<string, T?> read)
        where T : struct, IEquatable<T>
    {
        ArgumentNullException.ThrowIfNull(keys);
        (string Key, T Value)? first = null;
        foreach (string key in keys)
        {
            if (read(key) is not { } value) continue;
            if (first is { } other && !other.Value.Equals(value)) throw Conflict(other.Key, other.Value, key, value);
            first ??= (key, value);
        }

        return first?.Value;
    }

    private WiscaException Wrong(string key, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new WiscaException(
            $"{File}: {key} is {(text.Length > 60 ? string.Concat(text.AsSpan(0, 60), "...") : text)}, expected {expected}",
            "mend the configuration");
    }
}

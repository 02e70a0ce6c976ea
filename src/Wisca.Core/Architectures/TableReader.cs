using System.Text.Json;
using Wisca.Attention;

namespace Wisca.Architectures;

/// <summary>
/// Reads one object of a table strictly: what is missing, unknown or of another kind is an error that says where it stands. By hand,
/// because the serializer's metadata of all records was much of what <c>wisca inspect</c> compiled at its start.
/// </summary>
internal sealed class TableReader
{
    private readonly JsonElement _object;
    private readonly string _path;
    private readonly List<string> _asked = [];
    private int _found;

    private TableReader(JsonElement element, string path)
    {
        (_object, _path) = (element, path);
        if (element.ValueKind != JsonValueKind.Object) throw Wrong(path, "a JSON object");
    }

    /// <summary>Parses a table.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <exception cref="JsonException">It is not valid JSON, or not what a table has.</exception>
    public static ArchitectureTable? ReadTable(byte[] json)
    {
        using var document = Document(json);
        return document.RootElement.ValueKind == JsonValueKind.Null ? null : ReadObject(document.RootElement, "", Table);
    }

    /// <summary>Parses the list of model types of which nothing is moved.</summary>
    public static IReadOnlyList<RefusedArchitecture> ReadRefused(byte[] json)
    {
        using var document = Document(json);
        return ReadList(
            document.RootElement, "refused",
            reader => new RefusedArchitecture(reader.Strings("model_types"), reader.Text("reason")));
    }

    private static JsonDocument Document(byte[] json) =>
        JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });

    private static ArchitectureTable Table(TableReader reader) => new(
        reader.Text("name"), reader.Strings("model_types"), reader.Text("description"), reader.Strings("prefixes"), reader.Text("layer"),
        reader.Object("config", Config), reader.List("attention", Attention), reader.Object("rope", Rope), reader.List("refuse", Refusal),
        reader.List("model_weights", Weight), reader.List("layer_weights", Weight), reader.Strings("buffers"),
        reader.OptionalStrings("wrappers"), reader.Numbers("text_defaults"), reader.OptionalStrings("without_attention"));

    private static ConfigTable Config(TableReader reader) => new(
        reader.Object("layers", Number), reader.Object("hidden_size", Number), reader.Object("heads", Number),
        reader.Object("head_dim", Number));

    private static NumberTable Number(TableReader reader) =>
        new(reader.Strings("keys"), reader.OptionalText("default"), reader.OptionalText("if_null"));

    private static AttentionTable Attention(TableReader reader) => new(
        reader.Object("kv_heads", Number), reader.Text("o"), reader.OptionalText("q"), reader.OptionalText("k"), reader.OptionalText("v"),
        reader.Optional("qkv", Fused), reader.Orientation(), reader.Flag("gated_q"), reader.Optional("when", Condition),
        reader.Names("from"), reader.Names("to"), reader.OptionalText("gate"), reader.Optional("kv", Fused), reader.Names("kv_from"),
        reader.Optional("value_dim", Number), reader.Optional("shared_dim", Number));

    private static FusedTable Fused(TableReader reader) =>
        new(reader.Text("tensor"), reader.Text("blocks"), reader.Strings("order"));

    private static RopeTable Rope(TableReader reader) => new(
        reader.Text("pairs") switch
        {
            "none" => RopePairs.None,
            "half" => RopePairs.Half,
            "interleaved" => RopePairs.Interleaved,
            _ => throw reader.Unknown("pairs", "none, half or interleaved"),
        },
        reader.Optional("dims", Number), reader.Optional("factor", Factor), reader.Optional("unless", Condition),
        reader.Optional("layers", RopeLayers));

    private static FactorTable Factor(TableReader reader) => new(
        reader.Strings("keys"),
        reader.Required("default") is { ValueKind: JsonValueKind.Number } value
            ? value.GetDouble()
            : throw reader.Unknown("default", "a number"));

    private static RopeLayersTable RopeLayers(TableReader reader) => new(
        reader.Text("key"), reader.Required("without").Clone(), reader.OptionalText("interval_key"), reader.Integer("interval_default"));

    private static ConditionTable Condition(TableReader reader) => new(
        reader.OptionalText("key"), reader.Find("is")?.Clone(), reader.Find("default")?.Clone(), reader.OptionalText("tensor"));

    private static RefusalTable Refusal(TableReader reader) => new(
        reader.Text("reason"), reader.Kinds(), reader.Flag("stream") ?? false, reader.Optional("when", Condition), reader.Flag("rotating"));

    private static WeightTable Weight(TableReader reader) => new(
        reader.Text("name"), reader.Names("from"), reader.Names("to"), reader.OptionalStrings("parts"),
        reader.OptionalText("norm") switch
        {
            null => null,
            "rms" => NormForm.Rms,
            "rms_plus_one" => NormForm.RmsPlusOne,
            "layer" => NormForm.Layer,
            "layer_plus_one" => NormForm.LayerPlusOne,
            _ => throw reader.Unknown("norm", "rms, rms_plus_one, layer or layer_plus_one"),
        },
        reader.Orientation(), reader.Flag("stacked") ?? false, reader.Optional("activation", Activation), reader.Flag("tied"),
        reader.Flag("outside") ?? false, reader.Optional("when", Condition));

    private static ActivationTable Activation(TableReader reader) =>
        new(reader.OptionalText("gate"), reader.OptionalStrings("keys"), reader.OptionalText("default"));

    private static T ReadObject<T>(JsonElement element, string path, Func<TableReader, T> read)
        where T : class
    {
        var reader = new TableReader(element, path);
        var value = read(reader);
        if (element.GetPropertyCount() == reader._found) return value;
        string unknown = element.EnumerateObject().First(property => !reader._asked.Contains(property.Name)).Name;
        throw new JsonException($"'{reader.PathOf(unknown)}' is no field of a table");
    }

    private static T[] ReadList<T>(JsonElement element, string path, Func<TableReader, T> read)
        where T : class
    {
        if (element.ValueKind != JsonValueKind.Array) throw Wrong(path, "a list");
        var list = new T[element.GetArrayLength()];
        for (int index = 0; index < list.Length; index++) list[index] = ReadObject(element[index], $"{path}[{index}]", read);
        return list;
    }

    private T Object<T>(string name, Func<TableReader, T> read)
        where T : class => ReadObject(Required(name), PathOf(name), read);

    private T? Optional<T>(string name, Func<TableReader, T> read)
        where T : class => Find(name) is { } element ? ReadObject(element, PathOf(name), read) : null;

    private T[] List<T>(string name, Func<TableReader, T> read)
        where T : class => ReadList(Required(name), PathOf(name), read);

    private string Text(string name) => TextOf(Required(name), name);

    private string? OptionalText(string name) => Find(name) is { } element ? TextOf(element, name) : null;

    private string TextOf(JsonElement element, string name)
    {
        try
        {
            return element.ValueKind == JsonValueKind.String ? element.GetString()! : throw Wrong(PathOf(name), "a string");
        }
        catch (InvalidOperationException invalid)
        {
            throw new JsonException($"'{PathOf(name)}' is not valid Unicode", invalid);
        }
    }

    private string[] Strings(string name) => StringsOf(Required(name), name);

    private string[]? OptionalStrings(string name) => Find(name) is { } element ? StringsOf(element, name) : null;

    /// <summary>One name as a string, several as a list.</summary>
    private string[]? Names(string name) =>
        Find(name) is not { } element ? null
        : element.ValueKind == JsonValueKind.String ? [TextOf(element, name)]
        : element.ValueKind == JsonValueKind.Array && element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? StringsOf(element, name)
        : throw new JsonException($"'{PathOf(name)}': expected a name, or a list of names");

    /// <summary>A list of strings. Nulls in it are found by the table's own check.</summary>
    private string[] StringsOf(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Array) throw Wrong(PathOf(name), "a list");
        string[] strings = new string[element.GetArrayLength()];
        for (int index = 0; index < strings.Length; index++)
            strings[index] = element[index].ValueKind == JsonValueKind.Null ? null! : TextOf(element[index], $"{name}[{index}]");
        return strings;
    }

    private bool? Flag(string name) => Find(name)?.ValueKind switch
    {
        null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(PathOf(name), "true or false"),
    };

    private int? Integer(string name) =>
        Find(name) is not { } element ? null : IntegerOf(element, name);

    private int IntegerOf(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int number)
            ? number
            : throw Wrong(PathOf(name), "a whole number");

    private Dictionary<string, int>? Numbers(string name)
    {
        if (Find(name) is not { } element) return null;
        if (element.ValueKind != JsonValueKind.Object) throw Wrong(PathOf(name), "a JSON object");
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var property in element.EnumerateObject())
            numbers.Add(property.Name, IntegerOf(property.Value, $"{name}.{property.Name}"));
        return numbers;
    }

    private Orientation Orientation() => OptionalText("orientation") switch
    {
        null or "linear" => Wisca.Attention.Orientation.Linear,
        "conv1d" => Wisca.Attention.Orientation.Conv1D,
        _ => throw Unknown("orientation", "linear or conv1d"),
    };

    private TransitionKind[]? Kinds() => OptionalStrings("transitions")?.Select(kind => kind switch
    {
        "qk" => TransitionKind.QueryKey,
        "vo" => TransitionKind.ValueOutput,
        "ud" => TransitionKind.UpDown,
        "ng" => TransitionKind.NormGain,
        "qn" => TransitionKind.QueryKeyNorm,
        _ => throw Unknown("transitions", "qk, vo, ud, ng and qn"),
    }).ToArray();

    private JsonElement Required(string name)
    {
        _asked.Add(name);
        if (!_object.TryGetProperty(name, out var element))
        {
            string? near = _object.EnumerateObject().Select(property => property.Name)
                .FirstOrDefault(other => KnownArchitectures.Distance(other, name) <= 2);
            throw new JsonException($"'{PathOf(name)}' is missing{(near is null ? "" : $"; is '{near}' meant to be it?")}");
        }

        _found++;
        return element;
    }

    /// <summary>A field that may be left out, or be null.</summary>
    private JsonElement? Find(string name)
    {
        _asked.Add(name);
        if (!_object.TryGetProperty(name, out var element)) return null;
        _found++;
        return element.ValueKind == JsonValueKind.Null ? null : element;
    }

    private string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    private JsonException Unknown(string name, string expected) => Wrong(PathOf(name), expected);

    private static JsonException Wrong(string path, string expected) =>
        new(path.Length == 0 ? $"expected {expected}" : $"'{path}': expected {expected}");
}

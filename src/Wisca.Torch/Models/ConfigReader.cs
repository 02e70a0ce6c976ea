using System.Collections.Immutable;
using System.Text.Json;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;

namespace Wisca.Torch.Models;

/// <summary>Reads what a family needs from a configuration; every error names the file and the key.</summary>
internal sealed class ConfigReader
{
    // Beyond any model there is; what is larger is a mistake that would otherwise end in a failed allocation or an endless loop.
    private const int MaxSize = 1 << 24, MaxCount = 4096;

    private readonly ModelConfig _config;
    private readonly Lazy<ModelSizes> _sizes;

    public ConfigReader(ModelConfig config)
    {
        _config = config;
        foreach (string key in (string[])["quantization_config", "quantization"])
        {
            if (config.Find(key) is not null)
                throw Wrong(
                    $"{key} is set",
                    "if the weights are plain (wisca inspect shows their type), it is left over: take the key out of config.json; packed "
                    + "weights have no forward pass here");
        }

        _sizes = new Lazy<ModelSizes>(() =>
            ModelSizes.Read(config) is { HiddenSize: > MaxSize and var absurd }
                ? throw Wrong($"the hidden size is {absurd}, expected at most {MaxSize}", "mend the configuration")
                : ModelSizes.Read(config));
    }

    /// <summary>The sizes of attention, as every other reader of the configuration sees them.</summary>
    public ModelSizes Sizes => _sizes.Value;

    public string ModelType => _config.ModelType;

    /// <summary>True where the key is there, be it null.</summary>
    public bool Has(string key) => _config.Root.TryGetProperty(key, out _);

    /// <summary>True where a section is there and has the key.</summary>
    public bool Has(string section, string key) => _config.Find($"{section}.{key}") is not null;

    /// <summary>A size that every configuration of the family states, under one of several names.</summary>
    public int Size(params string[] keys) =>
        FindSize(keys) ?? throw Wrong($"no {string.Join(" or ", keys)}", $"a {ModelType} model needs it");

    public int? FindSize(string key, int minimum = 1) => FindSize([key], minimum);

    /// <summary>A size under one of several names; where it has more than one of them, they must agree.</summary>
    public int? FindSize(string[] keys, int minimum = 1) => _config.FindInt(keys, minimum) switch
    {
        > MaxSize and var absurd =>
            throw Wrong($"{string.Join(" or ", keys)} is {absurd}, expected at most {MaxSize}", "mend the configuration"),
        var value => value,
    };

    public int SizeOr(string key, int missing, int minimum = 1) => FindSize(key, minimum) ?? missing;

    public double PositiveOr(string key, double missing) => FindPositive(key) ?? missing;

    /// <summary>A number under a key, another where it is absent, and none where it is null.</summary>
    public double? PositiveOrNone(string key, double missing) => Has(key) ? FindPositive(key) : missing;

    public double? FindPositive(string key) => Positive(key, _config.FindNumber(key));

    /// <summary>A number from 0.</summary>
    public double NumberOr(string key, double missing) => (_config.FindNumber(key) ?? missing) switch
    {
        < 0 and var wrong => throw Wrong($"{key} is {wrong}, expected a number from 0", "mend the configuration"),
        var value => value,
    };

    public bool FlagOr(string key, bool missing) => _config.FindBool(key) ?? missing;

    /// <summary>Refuses a switch that is set otherwise than the forward pass has it.</summary>
    public void Expect(string key, bool expected, bool missing)
    {
        if (FlagOr(key, missing) == expected) return;
        string found = expected ? "false" : "true", needed = expected ? "true" : "false";
        throw Unsupported($"{key} is {found}", $"supported are {ModelType} models with {key} {needed}");
    }

    /// <summary>Refuses a number that the forward pass does not know.</summary>
    public void ExpectAbsent(string key)
    {
        if (_config.FindNumber(key) is { } number) throw Unsupported($"{key} is {number}", $"supported are {ModelType} models without it");
    }

    public Activation Activation(string key, string missing) => (_config.FindString(key) ?? missing) switch
    {
        "silu" or "swish" => Models.Activation.Silu,
        "gelu" => Models.Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" => Models.Activation.GeluTanh,
        "relu" => Models.Activation.Relu,
        var other => throw Unsupported($"{key} is '{other}'", "supported are silu, swish, gelu, gelu_new, gelu_pytorch_tanh and relu"),
    };

    /// <summary>Refuses heads that are absurd together.</summary>
    public void CheckWidth(AttentionConfig attention)
    {
        if ((long)attention.Heads * attention.HeadDim > MaxSize)
            throw Wrong(
                $"{attention.Heads} heads of {attention.HeadDim} channels, expected at most {MaxSize} channels",
                "mend the configuration");
    }

    /// <summary>A number of layers or experts.</summary>
    public int Count(int count, string what) =>
        count <= MaxCount ? count : throw Wrong($"{count} {what}, expected at most {MaxCount}", "mend the configuration");

    /// <summary>
    /// RoPE as it is stated: theta at the top level or, in newer files, in rope_parameters; scaling in rope_scaling or rope_parameters.
    /// How many channels rotate is one of the <see cref="Sizes"/>.
    /// </summary>
    /// <param name="theta">The base where none is stated.</param>
    /// <param name="thetaKey">The base's key at the top level.</param>
    /// <param name="pairs">How channels are paired.</param>
    /// <param name="parameters">The section of newer files.</param>
    /// <param name="scaling">The section of older files; null where they do not scale.</param>
    /// <param name="positions">The longest sequence where none is stated.</param>
    /// <param name="dims">Number of channels that rotate; null for that of the <see cref="Sizes"/>.</param>
    /// <param name="originalPositions">The longest sequence before it was stretched, where the family has a number for that.</param>
    public RopeConfig Rope(
        double theta = 10000,
        string thetaKey = "rope_theta",
        RopePairs pairs = RopePairs.Half,
        string parameters = "rope_parameters",
        string? scaling = "rope_scaling",
        int positions = 2048,
        int? originalPositions = null,
        int? dims = null)
    {
        foreach (string key in new[] { parameters, scaling }.OfType<string>())
        {
            if (_config.Find(key) is not { } content) continue;
            if (content.ValueKind != JsonValueKind.Object) throw Wrong($"{key} is not an object", "mend the configuration");
            string? kind = content.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.Object)
                .Select(entry => entry.Name).FirstOrDefault();
            if (kind is not null)
                throw Unsupported($"{key} has a section of its own for '{kind}'", $"all layers of a {ModelType} model rotate by one");
        }

        string section = _config.Find(parameters) is null && scaling is not null ? scaling : parameters;
        if (scaling is not null && _config.Find(scaling) is not null && RopeType(scaling) != RopeType(section))
            throw Wrong(
                $"{scaling} asks for {RopeType(scaling)}, {parameters} for {RopeType(section)}",
                "take out the one that does not hold");
        string[] older = scaling is null ? [] : ["rope_theta", $"{scaling}.rope_theta"];
        string[] places = [thetaKey, $"{parameters}.rope_theta", .. older];
        theta = Positive(thetaKey, _config.FindNumber(places)) ?? theta;
        int rotated = dims ?? Sizes.RotaryDims;
        if (rotated == 0) throw Wrong($"no channel of {Sizes.HeadDim} rotates", "expected an even number from 2 of them");
        return new RopeReader(this, _config, section, RopeType(section), positions, originalPositions).Read(pairs, rotated, theta);
    }

    /// <summary>A number of how RoPE is stretched, in newer files or older; null where it is not stretched.</summary>
    public double? FindRopeNumber(string key)
    {
        string[] sections = ["rope_parameters", "rope_scaling"];
        return sections.All(section => RopeType(section) == "default")
            ? null
            : _config.FindNumber([.. sections.Select(section => $"{section}.{key}")]);
    }

    /// <summary>The layers of a model whose layers are alike.</summary>
    public ImmutableArray<LayerConfig> Alike(int? window, RopeConfig? rope) =>
        [.. Enumerable.Repeat(new LayerConfig(window, rope), Count(Sizes.Layers, "layers"))];

    /// <summary>True for each layer that layer_types calls sliding, or, where that is not stated, that the rule says.</summary>
    public bool[] SlidingLayers(int layers, Func<int, bool> rule)
    {
        const string key = "layer_types";
        if (_config.Find(key) is not { } list) return [.. Enumerable.Range(0, layers).Select(rule)];
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != layers)
            throw Wrong($"{key} is not a list of {layers} names", "it needs one a layer");
        return
        [
            .. list.EnumerateArray()
                .Select(
                    (entry, layer) =>
                        (entry.ValueKind == JsonValueKind.String ? entry.GetString() : null) switch
                        {
                            "full_attention" => false,
                            "sliding_attention" => true,
                            _ => throw Unsupported(
                                $"{key}[{layer}] is {entry.GetRawText()}",
                                "supported are full_attention and sliding_attention"),
                        }),
        ];
    }

    /// <summary>True for each layer that a list of zeros and ones gives one, or, where there is no list, that the rule says.</summary>
    public bool[] LayerSwitches(string key, int layers, Func<int, bool> rule)
    {
        if (_config.Find(key) is not { } list) return [.. Enumerable.Range(0, layers).Select(rule)];
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != layers)
            throw Wrong($"{key} is not a list of {layers} numbers", "it needs one a layer, 0 or 1");
        return
        [
            .. list.EnumerateArray()
                .Select((entry, layer) =>
                    entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int value) && value is 0 or 1
                        ? value == 1
                        : throw Wrong($"{key}[{layer}] is {entry.GetRawText()}, expected 0 or 1", "mend the configuration")),
        ];
    }

    /// <summary>Layer numbers under a key; none where it is absent.</summary>
    public ImmutableArray<int> LayerNumbers(string key, int layers)
    {
        if (_config.Find(key) is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array) throw Wrong($"{key} is not a list of layer numbers", "mend the configuration");
        return
        [
            .. list.EnumerateArray()
                .Select(entry =>
                    entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int layer) && layer >= 0 && layer < layers
                        ? layer
                        : throw Wrong(
                            $"{key} holds {entry.GetRawText()}, expected layer numbers from 0 to {layers - 1}",
                            "mend the configuration")),
        ];
    }

    public WiscaException Wrong(string what, string hint) => new($"{_config.File}: {what}", hint);

    public WiscaException Unsupported(string what, string hint) =>
        new($"{_config.File}: {what}, which the forward pass does not have", hint);

    private double? Positive(string key, double? number) =>
        number is <= 0 ? throw Wrong($"{key} is {number}, expected a positive number", "mend the configuration") : number;

    /// <summary>How a section stretches RoPE, by the newer of two names.</summary>
    private string RopeType(string section) => (RopeString(section, "rope_type") ?? RopeString(section, "type")) switch
    {
        null or "mrope" => "default",
        "su" => "longrope",
        var type => type,
    };

    private string? RopeString(string section, string key) => _config.FindString($"{section}.{key}");
}

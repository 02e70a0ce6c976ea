using System.Collections.Immutable;
using System.Text.Json;
using Wisca.Attention;
using Wisca.Checkpoints;

namespace Wisca.Torch.Models;

/// <summary>Reads what a family needs from a configuration; every error names the file and the key.</summary>
internal sealed class ConfigReader
{
    // Beyond any model there is; what is larger is a mistake that would otherwise end in a failed allocation or an endless loop.
    private const int MaxSize = 1 << 24, MaxCount = 4096;

    private readonly ModelConfig _config;

    public ConfigReader(ModelConfig config)
    {
        _config = config;
        foreach (string key in (string[])["quantization_config", "quantization"])
        {
            if (config.Find(key) is not null)
                throw Wrong($"{key} is set", "packed weights have no forward pass here; take the model in F32, F16 or BF16");
        }
    }

    public string ModelType => _config.ModelType;

    /// <summary>True where the key is there, be it null.</summary>
    public bool Has(string key) => _config.Root.TryGetProperty(key, out _);

    /// <summary>True where a section is there and has the key.</summary>
    public bool Has(string section, string key) => _config.Find($"{section}.{key}") is not null;

    /// <summary>A size that every configuration of the family states, under one of several names.</summary>
    public int Size(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (FindSize(key) is { } value) return value;
        }

        throw Wrong($"no {string.Join(" or ", keys.ToArray())}", $"a {ModelType} model needs it");
    }

    public int? FindSize(string key, int minimum = 1) => _config.FindInt(key, minimum) switch
    {
        > MaxSize and var absurd => throw Wrong($"{key} is {absurd}, expected at most {MaxSize}", "mend the configuration"),
        var value => value,
    };

    public int SizeOr(string key, int missing, int minimum = 1) => FindSize(key, minimum) ?? missing;

    public double PositiveOr(string key, double missing) => FindPositive(key) ?? missing;

    public double? FindPositive(string key) => _config.FindNumber(key) switch
    {
        <= 0 and var wrong => throw Wrong($"{key} is {wrong}, expected a positive number", "mend the configuration"),
        var value => value,
    };

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

    /// <summary>The numbers of query heads and of kv heads, of which the first must be a multiple of the second.</summary>
    public (int Heads, int KvHeads) Heads()
    {
        int heads = Size("num_attention_heads"), kvHeads = SizeOr("num_key_value_heads", heads);
        return heads % kvHeads == 0
            ? (heads, kvHeads)
            : throw Wrong(
                $"num_attention_heads is {heads}, expected a multiple of num_key_value_heads, {kvHeads}",
                "mend the configuration");
    }

    /// <summary>head_dim where it is stated, hidden size / heads else.</summary>
    public int HeadDim(int hiddenSize, int heads)
    {
        if (FindSize("head_dim") is { } stated) return stated;
        return hiddenSize % heads == 0
            ? hiddenSize / heads
            : throw Wrong($"the hidden size {hiddenSize} is not a multiple of {heads} heads", "give head_dim");
    }

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
    /// </summary>
    /// <param name="headDim">Channels per head.</param>
    /// <param name="theta">The base where none is stated.</param>
    /// <param name="thetaKey">The base's key at the top level.</param>
    /// <param name="share">The rotated share of the channels where none is stated; null for a family that rotates all of them.</param>
    /// <param name="shareKey">The share's key at the top level.</param>
    /// <param name="pairs">How channels are paired.</param>
    /// <param name="parameters">The section of newer files.</param>
    /// <param name="scaling">The section of older files; null where they do not scale.</param>
    public RopeConfig Rope(
        int headDim,
        double theta = 10000,
        string thetaKey = "rope_theta",
        double? share = null,
        string shareKey = "partial_rotary_factor",
        RopePairs pairs = RopePairs.Half,
        string parameters = "rope_parameters",
        string? scaling = "rope_scaling")
    {
        foreach (string key in new[] { parameters, scaling }.OfType<string>())
        {
            if (_config.Find(key) is { ValueKind: not JsonValueKind.Object })
                throw Wrong($"{key} is not an object", "mend the configuration");
        }

        string section = _config.Find(parameters) is null && scaling is not null ? scaling : parameters;
        if (scaling is not null && _config.Find(scaling) is not null && RopeType(scaling) != RopeType(section))
            throw Wrong(
                $"{scaling} asks for {RopeType(scaling)}, {parameters} for {RopeType(section)}",
                "take out the one that does not hold");
        theta = Stated($"{parameters}.rope_theta", thetaKey) ?? theta;
        double? stated = Stated($"{parameters}.partial_rotary_factor", shareKey);
        if (share is null && stated is not (null or 1))
            throw Unsupported($"{shareKey} is {stated}", $"{ModelType} models rotate every channel");
        int dims = (int)(headDim * (stated ?? share ?? 1));
        if (dims < 2 || dims > headDim || dims % 2 != 0)
            throw Wrong($"{dims} rotary channels in heads of {headDim}", "expected an even number of at most head_dim");

        var frequencies = RopeConfig.Unscaled(dims, theta);
        switch (RopeType(section))
        {
            case "default":
                break;
            case "linear":
                double stretch = RopeNumber(section, "factor");
                frequencies = [.. frequencies.Select(frequency => frequency / stretch)];
                break;
            case "llama3":
                double factor = RopeNumber(section, "factor");
                double low = RopeNumber(section, "low_freq_factor"), high = RopeNumber(section, "high_freq_factor");
                if (high <= low)
                    throw Wrong(
                        $"{section}.high_freq_factor is {high}, expected more than low_freq_factor, {low}",
                        "mend the configuration");
                int context = Size($"{section}.original_max_position_embeddings");
                frequencies = [.. frequencies.Select(frequency => RopeConfig.ScaleLlama3(frequency, factor, low, high, context))];
                break;
            case var other:
                throw Unsupported($"{section}.rope_type is '{other}'", "supported are default, linear and llama3");
        }

        return new RopeConfig(pairs, frequencies);
    }

    /// <summary>The layers of a model whose layers are alike; their number is under one of several names.</summary>
    public ImmutableArray<LayerConfig> Alike(int? window, RopeConfig? rope, params ReadOnlySpan<string> keys) =>
        [.. Enumerable.Repeat(new LayerConfig(window, rope), Count(Size(keys), "layers"))];

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

    /// <summary>A positive number that may stand in two places; where it stands in both, it must be the same.</summary>
    private double? Stated(string nested, string top)
    {
        double? inner = FindPositive(nested), outer = FindPositive(top);
        if (inner is not null && outer is not null && inner != outer)
            throw Wrong($"{nested} is {inner}, but {top} is {outer}", "take out the one that does not hold");
        return inner ?? outer;
    }

    private string RopeType(string section) =>
        _config.FindString($"{section}.rope_type") ?? _config.FindString($"{section}.type") ?? "default";

    private double RopeNumber(string section, string key) =>
        FindPositive($"{section}.{key}") ?? throw Wrong($"no {section}.{key}", $"rope_type {RopeType(section)} needs it");
}

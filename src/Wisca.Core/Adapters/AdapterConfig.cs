using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>
/// PEFT's <c>adapter_config.json</c> of a LoRA adapter. What changes the function is read strictly, and refused where it is not known here;
/// every other key is kept as it is, so that saving gives a configuration of the same meaning.
/// </summary>
public sealed class AdapterConfig
{
    /// <summary>The file's name.</summary>
    public const string FileName = SideFiles.AdapterConfigName;

    private const string Hint = "an adapter folder needs the adapter_config.json that PEFT saves beside the weights";

    // What is read below.
    private static readonly string[] Understood =
    [
        "alpha_pattern", "base_model_name_or_path", "bias", "ensure_weight_tying", "exclude_modules", "fan_in_fan_out", "init_lora_weights",
        "layers_pattern", "layers_to_transform", "lora_alpha", "lora_bias", "lora_dropout", "modules_to_save", "peft_type", "r",
        "rank_pattern", "target_modules", "target_parameters", "task_type", "trainable_token_indices", "use_dora", "use_rslora",
    ];

    // What does not change the function of a trained adapter: records, and settings of a training or of another switch's.
    private static readonly string[] Harmless =
    [
        "auto_mapping", "eva_config", "inference_mode", "lora_dtype", "lorap_emb_lr", "lorap_lr_ratio", "megatron_core", "merge_weights",
        "peft_version", "qalora_group_size", "revision", "runtime_config",
    ];

    // Each of these changes the function, or the base, in a way that has no code here.
    private static readonly string[] Unsupported =
    [
        "alora_invocation_tokens", "arrow_config", "corda_config", "enable_lora", "kasa_config", "layer_replication", "loftq_config",
        "lora_ga_config", "megatron_config", "monteclora_config", "use_bdlora", "use_qalora", "velora_config",
    ];

    private static readonly string[] BaseChanging = ["pissa", "olora", "corda", "loftq", "lora_ga"];

    // These choose numbers that training goes on from, and leave the base alone.
    private static readonly string[] OtherStarts = ["eva", "mica", "orthogonal"];

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly JsonElement _root;
    private readonly ImmutableArray<(PythonPattern Pattern, int Rank)> _ranks;
    private readonly ImmutableArray<(PythonPattern Pattern, double Alpha)> _alphas;
    private readonly ImmutableArray<PythonPattern> _layerPatterns;
    private readonly ImmutableArray<int> _layers;
    private readonly TargetModules? _excluded;

    private AdapterConfig(JsonElement root, string file)
    {
        _root = root;
        File = file;
        var json = ModelConfig.Of(root, file);
        string type = json.FindString("peft_type") ?? throw Wrong("no peft_type", Hint);
        if (type != "LORA")
            throw Wrong($"peft_type is '{type}', expected LORA", "only LoRA adapters (with rsLoRA and DoRA) are known here");
        foreach (var entry in root.EnumerateObject())
        {
            if (IsUnset(entry.Value) || Understood.Contains(entry.Name) || Harmless.Contains(entry.Name)) continue;
            if (Unsupported.Contains(entry.Name))
                throw Wrong($"{entry.Name} is set, which is not supported", "merge the adapter with PEFT instead");
            throw Wrong(
                $"{entry.Name} is {Shorten(entry.Value)}, and this key is not known here",
                "if it changes nothing that the adapter computes, take it out of the configuration");
        }

        Rank = json.FindInt("r") ?? throw Wrong("no r (the rank)", Hint);
        Alpha =
            json.FindNumber("lora_alpha")
            ?? throw Wrong("no lora_alpha", "the factor on B A is lora_alpha / r: without it the adapter means nothing");
        RankStabilized = json.FindBool("use_rslora") ?? false;
        Dora = json.FindBool("use_dora") ?? false;
        FanInFanOut = json.FindBool("fan_in_fan_out") ?? false;
        Dropout = json.FindNumber("lora_dropout") ?? 0;
        if (Dropout is < 0 or >= 1)
            throw Wrong($"lora_dropout is {Dropout}, expected a number from 0 and below 1", "mend the configuration");
        Bias = json.FindString("bias") ?? "none";
        if (Bias is not ("none" or "all" or "lora_only"))
            throw Wrong($"bias is '{Bias}', expected none, all or lora_only", "mend the configuration");
        BaseName = json.FindString("base_model_name_or_path");
        LoraBias = json.FindBool("lora_bias") ?? false;
        if (LoraBias && Dora) throw Wrong("lora_bias and use_dora are both true, which PEFT does not have", "mend the configuration");
        EnsuresTying = json.FindBool("ensure_weight_tying") ?? false;
        TaskType = json.FindString("task_type");
        TargetParameters = Texts(json, "target_parameters");
        TokenIndices = ReadTokens(json);
        Targets = json.Find("target_modules") is { } targets && !IsUnset(targets) ? TargetModules.Read(targets, file, "target_modules")
            : TargetParameters.IsEmpty && TokenIndices.IsEmpty
                ? throw Wrong("no target_modules", "save the adapter anew with a version of PEFT that writes them")
                : TargetModules.None;
        _excluded =
            json.Find("exclude_modules") is { } excluded && !IsUnset(excluded)
                ? TargetModules.Read(excluded, file, "exclude_modules")
                : null;
        SavedModules = Texts(json, "modules_to_save");
        Initialization = ReadInitialization(json);
        _ranks = [.. Patterns(json, "rank_pattern").Select(entry => (entry.Pattern, ReadRank(entry.Key, entry.Value)))];
        _alphas = [.. Patterns(json, "alpha_pattern").Select(entry => (entry.Pattern, ReadAlpha(entry.Key, entry.Value)))];
        _layers = Layers(json);
        _layerPatterns =
        [
            .. Texts(json, "layers_pattern")
                .Where(pattern => pattern.Length > 0)
                .Select(pattern =>
                    PythonPattern.Beginning($@"(?:^|.*?\.){pattern}\.(?P<idx>\d+)\.", $"{file}: layers_pattern '{pattern}'")),
        ];
        if (_layers.Length > 0 && Targets.Names.IsEmpty)
            throw Wrong(
                "layers_to_transform is set, but target_modules is not a list of names",
                "name the modules, or say the layers in the pattern");
    }

    /// <summary>The file's name for error messages.</summary>
    public string File { get; }

    /// <summary>The whole object, unknown keys included.</summary>
    public JsonElement Root => _root;

    /// <summary>Rank r, where no pattern says otherwise.</summary>
    public int Rank { get; }

    /// <summary>Alpha, where no pattern says otherwise.</summary>
    public double Alpha { get; }

    /// <summary>True where the factor on B A is alpha / sqrt(r) (rsLoRA), false for alpha / r.</summary>
    public bool RankStabilized { get; }

    /// <summary>True where rows are normalised and multiplied by a magnitude of their own (DoRA).</summary>
    public bool Dora { get; }

    /// <summary>True where the base's matrices are stored [in, out] (GPT-2's Conv1D).
    /// What a model is known to be goes before it, as in PEFT.</summary>
    public bool FanInFanOut { get; }

    /// <summary>Share of the inputs of A that a step of training drops.</summary>
    public double Dropout { get; }

    /// <summary><c>none</c>, or which biases of the base the adapter brings its own of: <c>all</c> or <c>lora_only</c>.</summary>
    public string Bias { get; }

    /// <summary>What the base was called where the adapter was made; null where that is not stated.</summary>
    public string? BaseName { get; }

    /// <summary>Which modules have factors.</summary>
    public TargetModules Targets { get; }

    /// <summary>True where B has a bias of its own in every module.</summary>
    public bool LoraBias { get; }

    /// <summary>Parameters that have factors themselves, whatever module they are in: the stacked matrices of experts. Names as in
    /// <see cref="TargetModules.Names"/>, the parameter's own included.</summary>
    public ImmutableArray<string> TargetParameters { get; }

    /// <summary>Which rows of which embeddings are stored: a module's name, as in <see cref="TargetModules.Names"/>, and the ids. The name
    /// is empty for the model's input embedding.</summary>
    public ImmutableArray<(string Module, ImmutableArray<int> Ids)> TokenIndices { get; }

    /// <summary>True where what is adapted of an embedding is meant for the output projection that is tied to it too.</summary>
    public bool EnsuresTying { get; }

    /// <summary>PEFT's name for what the model does (<c>CAUSAL_LM</c>, <c>SEQ_CLS</c>); null where that is not stated.</summary>
    public string? TaskType { get; }

    /// <summary>Modules that are stored whole; names as in <see cref="TargetModules.Names"/>.</summary>
    public ImmutableArray<string> SavedModules { get; }

    /// <summary>How the factors started.</summary>
    public LoraInitialization Initialization { get; }

    /// <summary>
    /// True where PEFT changes the base before it applies the factors (<c>pissa</c>, <c>olora</c> and others): such an adapter is not one
    /// for the base as it is published.
    /// </summary>
    public bool ChangesBase { get; private set; }

    /// <summary>Reads the configuration in an adapter's folder.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">The file is missing or broken,
    /// of another kind than LoRA, or asks for what is not known here.</exception>
    public static AdapterConfig Load(string path)
    {
        using var document = JsonFile.ReadObject(path, Hint);
        return new AdapterConfig(document.RootElement.Clone(), Path.GetFileName(path));
    }

    /// <summary>Takes a configuration from a JSON object.</summary>
    /// <exception cref="WiscaException">As for <see cref="Load"/>.</exception>
    public static AdapterConfig Parse(string json)
    {
        using var document = JsonFile.ParseObject(System.Text.Encoding.UTF8.GetBytes(json), FileName, Hint);
        return new AdapterConfig(document.RootElement.Clone(), FileName);
    }

    /// <summary>The configuration of a new adapter, with the keys that PEFT writes.</summary>
    /// <param name="settings">What it is made from.</param>
    /// <exception cref="WiscaException">A number is out of range, or a pattern is none.</exception>
    public static AdapterConfig Create(AdapterSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Initialization == LoraInitialization.Other)
            throw new ArgumentException("an adapter cannot be started in a way that is not known here", nameof(settings));
        if (settings.Dora && settings.Initialization is LoraInitialization.Pissa or LoraInitialization.Olora)
            throw new WiscaException(
                $"use_dora cannot be combined with {settings.Initialization.Name()}: "
                + "such an adapter has no form for the base as it is published",
                "use one of the two");
        var json = new JsonObject
        {
            ["alpha_pattern"] = new JsonObject(
                settings.Alphas.Select(entry => KeyValuePair.Create(entry.Pattern, (JsonNode?)JsonValue.Create(entry.Alpha)))),
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = settings.BaseName,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] =
                settings.Initialization == LoraInitialization.Default
                    ? JsonValue.Create(true)
                    : JsonValue.Create(settings.Initialization.Name()),
            ["layers_pattern"] = null,
            ["layers_to_transform"] = settings.Layers.IsEmpty
                ? null
                : new JsonArray([.. settings.Layers.Select(layer => (JsonNode?)JsonValue.Create(layer))]),
            ["lora_alpha"] = Number(settings.Alpha),
            ["lora_dropout"] = settings.Dropout,
            ["modules_to_save"] = settings.SavedModules.IsEmpty ? null : Array(settings.SavedModules),
            ["peft_type"] = "LORA",
            ["r"] = settings.Rank,
            ["rank_pattern"] = new JsonObject(
                settings.Ranks.Select(entry => KeyValuePair.Create(entry.Pattern, (JsonNode?)JsonValue.Create(entry.Rank)))),
            ["revision"] = null,
            ["target_modules"] = settings.Targets.IsAllLinear ? JsonValue.Create(TargetModules.AllLinearName)
                : settings.Targets.Pattern is { } pattern ? JsonValue.Create(pattern)
                : Array(settings.Targets.Names),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = settings.Dora,
            ["use_rslora"] = settings.RankStabilized,
        };
        return Parse(json.ToJsonString());
    }

    /// <summary>True where a module has factors.</summary>
    /// <param name="module">The module's path in the model.</param>
    public bool Adapts(string module)
    {
        ArgumentNullException.ThrowIfNull(module);
        if (_excluded?.Match(module) == true || !Targets.Match(module)) return false;
        if (_layers.IsEmpty || Targets.Names.Contains(module)) return true;
        return LayerOf(module) is { } text && int.TryParse(text, out int layer) && _layers.Contains(layer);
    }

    /// <summary>The names that <see cref="TargetParameters"/> gives for parameters of a module: <c>gate_up_proj</c>.</summary>
    /// <param name="module">The module's path in the model.</param>
    public IEnumerable<string> ParametersOf(string module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return TargetParameters
            .Select(target => (Target: target, Dot: target.LastIndexOf('.')))
            .Where(entry => entry.Dot < 0 || TargetModules.EndsWith(module, entry.Target[..entry.Dot]))
            .Select(entry => entry.Target[(entry.Dot + 1)..])
            .Distinct(StringComparer.Ordinal);
    }

    /// <summary>True where a module is stored whole.</summary>
    /// <param name="module">The module's path in the model.</param>
    public bool Saves(string module) => SavedModules.Any(name => TargetModules.EndsWith(module, name));

    /// <summary>True where a module is part of one that is stored whole: PEFT gives it no factors then.</summary>
    internal bool IsWithinSaved(string module) =>
        SavedModules.Any(name => $".{module}.".Contains($".{name}.", StringComparison.Ordinal));

    /// <summary>The rank of a module.</summary>
    /// <param name="module">The module's path in the model.</param>
    public int RankOf(string module) =>
        _ranks.FirstOrDefault(entry => entry.Pattern.IsMatch(module)) is { Pattern: not null } found ? found.Rank : Rank;

    /// <summary>The factor on B A in a module: alpha / r, or alpha / sqrt(r).</summary>
    /// <param name="module">The module's path in the model.</param>
    public double ScaleOf(string module)
    {
        double alpha = _alphas.FirstOrDefault(entry => entry.Pattern.IsMatch(module)) is { Pattern: not null } found ? found.Alpha : Alpha;
        int rank = RankOf(module);
        return RankStabilized ? alpha / Math.Sqrt(rank) : alpha / rank;
    }

    /// <summary>
    /// The configuration of the same adapter written with twice the rank, for the base as it was before factors were taken out of it:
    /// [B, -B_0] [A; A_0]. Alpha grows so that the factor stays.
    /// </summary>
    public AdapterConfig Doubled()
    {
        double growth = RankStabilized ? Math.Sqrt(2) : 2;
        var json = JsonObject.Create(_root)!;
        json["r"] = 2 * Rank;
        json["lora_alpha"] = Number(growth * Alpha);
        json["init_lora_weights"] = true;
        if (json["rank_pattern"] is JsonObject ranks)
            json["rank_pattern"] = new JsonObject(
                ranks.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)JsonValue.Create(2 * (int)entry.Value!))));
        if (json["alpha_pattern"] is JsonObject alphas)
            json["alpha_pattern"] = new JsonObject(
                alphas.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)Number(growth * (double)entry.Value!))));
        return Parse(json.ToJsonString());
    }

    /// <summary>The configuration of the same adapter with the base's orientation stated.</summary>
    public AdapterConfig WithFanInFanOut(bool fanInFanOut)
    {
        var json = JsonObject.Create(_root)!;
        json["fan_in_fan_out"] = fanInFanOut;
        return Parse(json.ToJsonString());
    }

    /// <summary>Writes the configuration, every key as it was read.</summary>
    /// <param name="folder">The adapter's folder.</param>
    public void Save(string folder) =>
        System.IO.File.WriteAllText(Path.Combine(folder, FileName), JsonNode.Parse(_root.GetRawText())!.ToJsonString(Indented) + "\n");

    private static JsonArray Array(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    /// <summary>A whole number without a fraction, as PEFT writes lora_alpha.</summary>
    private static JsonValue Number(double number) =>
        number == Math.Truncate(number) && Math.Abs(number) < 1e15 ? JsonValue.Create((long)number) : JsonValue.Create(number);

    /// <summary>True for what PEFT writes where nothing is set.</summary>
    private static bool IsUnset(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => element.GetArrayLength() == 0,
        JsonValueKind.Object => !element.EnumerateObject().Any(),
        JsonValueKind.Null or JsonValueKind.False => true,
        _ => false,
    };

    private static string Shorten(JsonElement element)
    {
        const int longest = 60;
        string text = element.GetRawText();
        return text.Length > longest ? text[..longest] + "..." : text;
    }

    /// <summary>The first number in a module's path that PEFT takes for its layer's.</summary>
    private string? LayerOf(string module)
    {
        if (!_layerPatterns.IsEmpty)
            return _layerPatterns.Select(pattern => pattern.Group(module, "idx")).FirstOrDefault(layer => layer is not null);
        string[] parts = module.Split('.');
        return parts.Skip(2).SkipLast(1).FirstOrDefault(part => part.Length > 0 && part.All(char.IsAsciiDigit));
    }

    private LoraInitialization ReadInitialization(ModelConfig json)
    {
        switch (json.Find("init_lora_weights"))
        {
            case null or { ValueKind: JsonValueKind.True }:
                return LoraInitialization.Default;
            case { ValueKind: JsonValueKind.False }:
                return LoraInitialization.Other;
            case { ValueKind: JsonValueKind.String } element:
                string name = element.GetString()!;
                ChangesBase = BaseChanging.Any(way => name == way || name.StartsWith(way + "_", StringComparison.Ordinal));

                // PEFT says true for its default.
                if (EnumNames.TryParse<LoraInitialization>(name, out var known) && known != LoraInitialization.Default
                    && known != LoraInitialization.Other)
                    return known;
                return ChangesBase || OtherStarts.Contains(name)
                    ? LoraInitialization.Other
                    : throw Wrong(
                        $"init_lora_weights is '{name}', which is not known here",
                        "if the base stays as it is under this, set it to true");
            default:
                throw Wrong("init_lora_weights is neither true, false nor a name", "mend the configuration");
        }
    }

    private ImmutableArray<(string, ImmutableArray<int>)> ReadTokens(ModelConfig json)
    {
        const string key = "trainable_token_indices";
        return json.Find(key) switch
        {
            null => [],
            { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() == 0 => [],
            { ValueKind: JsonValueKind.Array } list => [("", Ids(list))],
            { ValueKind: JsonValueKind.Object } named => [.. named.EnumerateObject().Select(entry => (entry.Name, Ids(entry.Value)))],
            _ => throw Wrong($"{key} is neither a list of ids nor one for each of several modules", "mend the configuration"),
        };

        ImmutableArray<int> Ids(JsonElement list) =>
            list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().All(id => id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number) && number >= 0)
                ? [.. list.EnumerateArray().Select(id => id.GetInt32())]
                : throw Wrong($"{key} is not a list of ids", "mend the configuration");
    }

    private ImmutableArray<string> Texts(ModelConfig json, string key) => json.Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.String } element => [element.GetString()!],
        { ValueKind: JsonValueKind.Array } element when element.EnumerateArray().All(text => text.ValueKind == JsonValueKind.String) =>
        [
            .. element.EnumerateArray().Select(text => text.GetString()!),
        ],
        _ => throw Wrong($"{key} is not a list of names", "mend the configuration"),
    };

    private ImmutableArray<int> Layers(ModelConfig json) =>
        json.Find("layers_to_transform") switch
        {
            null => [],
            { ValueKind: JsonValueKind.Number } element when element.TryGetInt32(out int layer) => [layer],
            { ValueKind: JsonValueKind.Array } element
                when element.EnumerateArray().All(layer => layer.ValueKind == JsonValueKind.Number && layer.TryGetInt32(out _)) =>
            [.. element.EnumerateArray().Select(layer => layer.GetInt32())],
        _ => throw Wrong("layers_to_transform is not a list of layers", "mend the configuration"),
    };

    private IEnumerable<(string Key, PythonPattern Pattern, JsonElement Value)> Patterns(ModelConfig json, string key)
    {
        if (json.Find(key) is not { } element) return [];
        if (element.ValueKind != JsonValueKind.Object) throw Wrong($"{key} is not an object", "mend the configuration");
        return element
            .EnumerateObject()
            .Select(entry =>
                (
                    $"{key}['{entry.Name}']", PythonPattern.Whole($@"(.*\.)?({entry.Name})", $"{File}: {key} '{entry.Name}'"),
                    entry.Value));
    }

    private int ReadRank(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int rank) && rank >= 1
            ? rank
            : throw Wrong($"{key} is {value.GetRawText()}, expected a whole number from 1", "mend the configuration");

    private double ReadAlpha(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double alpha) && double.IsFinite(alpha)
            ? alpha
            : throw Wrong($"{key} is {value.GetRawText()}, expected a number", "mend the configuration");

    private WiscaException Wrong(string what, string hint) => new($"{File}: {what}", hint);
}

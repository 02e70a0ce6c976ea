using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;

namespace Wisca.Adapters;

/// <summary>
/// A LoRA adapter in PEFT's format, opened for reading: a folder of <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.
/// Tensors stay in the file; every name and shape is checked against the configuration.
/// </summary>
public sealed class Adapter : IWeightFolder, IDisposable
{
    /// <summary>The name of the weight file.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    /// <summary>What PEFT puts in front of the names of the base.</summary>
    public const string Prefix = "base_model.model.";

    internal const string FactorA = ".lora_A.weight",
        FactorB = ".lora_B.weight",
        Magnitude = ".lora_magnitude_vector",
        BiasOfB = ".lora_B.bias",
        EmbeddingA = ".lora_embedding_A",
        EmbeddingB = ".lora_embedding_B",
        TokenRows = ".token_adapter.trainable_tokens_delta";

    private const string BaseLayer = ".base_layer";

    private const string Broken = "the adapter is broken, or its weights and its configuration do not belong together";

    private readonly SafetensorsFile _file;

    private Adapter(string folder, AdapterConfig config, SafetensorsFile file)
    {
        Folder = folder;
        Config = config;
        _file = file;
        var saved = ImmutableArray.CreateBuilder<(StoredTensor, string)>();
        var tokens = ImmutableArray.CreateBuilder<AdapterTokens>();
        var parts = new SortedDictionary<string, Dictionary<string, StoredTensor>>(StringComparer.Ordinal);
        foreach (var info in file.Header.Tensors) Sort(info, parts, saved, tokens);
        Saved = saved.ToImmutable();
        Tokens = tokens.ToImmutable();

        // A module whose parameters have factors of their own is wrapped once for each of them.
        var wrapped = parts.Keys.ToLookup(name => name.Replace(BaseLayer, "", StringComparison.Ordinal), StringComparer.Ordinal);
        var modules = ImmutableArray.CreateBuilder<AdapterModule>();
        var parameters = ImmutableArray.CreateBuilder<AdapterParameters>();
        foreach (var wrappers in wrapped)
        {
            string name = wrappers.Key;
            string[] inner = [.. wrappers.OrderByDescending(wrapper => wrapper.Length)];
            bool isModule = inner.Length == 1 && inner[0] == name && !config.Targets.IsAllLinear && config.Adapts(name);
            if (!isModule && config.ParametersOf(name).Any())
                parameters.Add(new AdapterParameters(name, [.. inner.Select(wrapper => Factors(name, parts[wrapper]))]));
            else if (inner.Length > 1) throw new WiscaException($"{Where}: module '{name}' has several pairs of factors", Broken);
            else modules.Add(Module(name, parts[inner[0]]));
        }

        Modules = modules.ToImmutable();
        Parameters = parameters.ToImmutable();
        if (Modules.IsEmpty && Parameters.IsEmpty && Saved.IsEmpty && Tokens.IsEmpty)
            throw new WiscaException($"{Where}: there are no LoRA factors in it", Broken);
    }

    /// <inheritdoc cref="Checkpoint.Folder"/>
    public string Folder { get; }

    /// <summary>The adapter's configuration.</summary>
    public AdapterConfig Config { get; }

    /// <summary>The modules with factors, in the order of their names.</summary>
    public ImmutableArray<AdapterModule> Modules { get; }

    /// <summary>
    /// What the adapter stores whole (<c>modules_to_save</c>, trained biases, embeddings),
    /// each with the name that the model has for the tensor.
    /// </summary>
    public ImmutableArray<(StoredTensor Tensor, string Name)> Saved { get; }

    /// <summary>Factors of parameters (<c>target_parameters</c>), in the order of the modules' names.</summary>
    public ImmutableArray<AdapterParameters> Parameters { get; }

    /// <summary>Rows of embeddings (<c>trainable_token_indices</c>).</summary>
    public ImmutableArray<AdapterTokens> Tokens { get; }

    /// <summary>Every tensor, in the order of the bytes.</summary>
    public IEnumerable<StoredTensor> Tensors => _file.Header.Tensors.Select(info => new StoredTensor(_file, info));

    /// <summary>Number of stored elements.</summary>
    public long ParameterCount => _file.Header.Tensors.Sum(info => info.ElementCount);

    ImmutableArray<SafetensorsFile> IWeightFolder.Shards => [_file];

    bool IWeightFolder.IsSharded => false;

    string IWeightFolder.ConfigName => AdapterConfig.FileName;

    private string Where => Path.Combine(Folder, WeightsName);

    /// <summary>True where a folder holds an adapter and no model.</summary>
    public static bool IsAdapter(string folder) =>
        File.Exists(Path.Combine(folder, AdapterConfig.FileName)) && !File.Exists(Path.Combine(folder, "config.json"));

    /// <summary>Opens an adapter's folder and checks names and shapes.</summary>
    /// <exception cref="WiscaException">The folder is no LoRA adapter,
    /// a file in it is broken, or it asks for what is not known here.</exception>
    public static Adapter Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
        {
            if (string.IsNullOrWhiteSpace(folder)) throw new WiscaException("the adapter's path is empty", "name an adapter's folder");
            throw new WiscaException(
                $"{folder} {(File.Exists(folder) ? "is a file" : "does not exist")}",
                $"give the adapter's folder, the one with {AdapterConfig.FileName} in it");
        }

        var config = AdapterConfig.Load(Path.Combine(folder, AdapterConfig.FileName));
        string path = Path.Combine(folder, WeightsName);
        if (!Path.Exists(path))
        {
            throw new WiscaException(
                $"{folder} has no {WeightsName}",
                File.Exists(Path.Combine(folder, "adapter_model.bin"))
                    ? "only pickled weights (adapter_model.bin) are there: load the adapter with PEFT and save it with "
                        + "save_pretrained(DIR, safe_serialization=True)"
                    : "the download did not finish, or the adapter was saved in another format");
        }

        var file = SafetensorsFile.Open(path);
        try
        {
            return new Adapter(Path.GetFullPath(folder), config, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by its name in the file; null where there is none.</summary>
    public StoredTensor? Find(string name) => _file.Header.Find(name) is { } info ? new StoredTensor(_file, info) : null;

    /// <summary>Writes the adapter as PEFT does, into a folder that appears when it is complete.</summary>
    /// <param name="output">The folder to write.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <exception cref="WiscaException">The output is not allowed.</exception>
    public void Save(string output, bool force = false)
    {
        var history = Ledger.Load(Folder);
        using var folder = OutputFolder.Prepare(output, this, force);
        using var rewriter = new CheckpointRewriter(this, folder.Staging, new HashSet<string>(), new ProgressCounter(null, 0));
        rewriter.Write(_ => new Dictionary<string, TensorEdit>(), 1, CancellationToken.None);
        CheckpointCopy.Complete(
            this,
            folder,
            files => new Ledger(Ledger.CurrentVersion, history?.Moves ?? [], files, history?.ForOriginal ?? false),
            CancellationToken.None);
    }

    /// <summary>Finds the base's tensor of every module and compares shapes.</summary>
    /// <param name="checkpoint">The model that the adapter is for.</param>
    /// <param name="allowPartial">True to take an adapter that lacks a part of what its configuration names in this base.</param>
    /// <param name="decomposition">Computes what PEFT leaves of a base, for adapters whose factors started from the base's own (PiSSA,
    /// OLoRA); null where such a one is refused.</param>
    /// <exception cref="WiscaException">The adapter is for another base, or a part of it is missing;
    /// the message lists the differences.</exception>
    public AdapterBinding Bind(Checkpoint checkpoint, bool allowPartial = false, IBaseDecomposition? decomposition = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return new AdapterBinder(this, checkpoint, decomposition).Bind(allowPartial);
    }

    /// <inheritdoc />
    public void Dispose() => _file.Dispose();

    /// <summary>The name behind PEFT's prefix and what other wrappers put in front of it or into it; null without the prefix.</summary>
    private static string? NameInModel(string name)
    {
        string rest = ModuleNames.Unwrap(name);
        if (!rest.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        while (rest.StartsWith(Prefix, StringComparison.Ordinal)) rest = ModuleNames.Unwrap(rest[Prefix.Length..]);
        return rest;
    }

    private void Sort(
        TensorInfo info, SortedDictionary<string, Dictionary<string, StoredTensor>> parts,
        ImmutableArray<(StoredTensor, string)>.Builder saved, ImmutableArray<AdapterTokens>.Builder tokens)
    {
        string name =
            NameInModel(info.Name)
            ?? throw new WiscaException(
                $"{Where}: tensor '{info.Name}', expected a name that begins with {Prefix}",
                "is this an adapter of PEFT?");
        if (!info.Dtype.IsRescalable())
            throw new WiscaException($"{Where}: tensor '{info.Name}' is stored as {info.Dtype}, expected F32, F16, BF16 or F64", Broken);
        var tensor = new StoredTensor(_file, info);
        if (
            ((string[])[FactorA, FactorB, BiasOfB, Magnitude, EmbeddingA, EmbeddingB]).FirstOrDefault(
                suffix => name.EndsWith(suffix, StringComparison.Ordinal)
                    || (suffix == Magnitude && name.EndsWith(suffix + ".weight", StringComparison.Ordinal)))
            is { } part)
        {
            string module = name[..name.LastIndexOf(part, StringComparison.Ordinal)];
            if (!parts.TryGetValue(module, out var found)) parts.Add(module, found = new(StringComparer.Ordinal));
            if (!found.TryAdd(part, tensor)) throw Twice(found[part], tensor);
            return;
        }

        if (name.EndsWith(TokenRows, StringComparison.Ordinal))
        {
            tokens.Add(ReadTokens(name[..^TokenRows.Length], tensor));
            return;
        }

        if (name.Contains(".lora_", StringComparison.Ordinal) || name.Contains(".token_adapter.", StringComparison.Ordinal))
            throw new WiscaException($"{Where}: tensor '{info.Name}' is not known", "merge the adapter with PEFT");
        if (info.Shape.Length is not (1 or 2))
            throw new WiscaException($"{Where}: tensor '{info.Name}' has shape {info.ShapeText}, expected a matrix or a vector", Broken);
        string plain = name.Replace(BaseLayer + ".", ".", StringComparison.Ordinal);
        if (saved.FirstOrDefault(entry => entry.Item2 == plain) is { Item1: { } other }) throw Twice(other, tensor);
        saved.Add((tensor, plain));

        WiscaException Twice(StoredTensor a, StoredTensor b) =>
            new($"{Where}: '{a.Info.Name}' and '{b.Info.Name}' are one tensor under two names", "save the adapter again with PEFT");
    }

    private AdapterTokens ReadTokens(string module, StoredTensor rows)
    {
        var named = Config.TokenIndices.Where(entry => entry.Module.Length == 0 || TargetModules.EndsWith(module, entry.Module)).ToList();
        if (named.Count != 1) throw Wrong($"'{rows.Info.Name}' is there, but trainable_token_indices does not name '{module}'");
        var ids = named[0].Ids;
        if (rows.Info.Shape is not [var count, > 0] || count != ids.Length)
            throw Wrong($"'{rows.Info.Name}' has shape {rows.Info.ShapeText}, but trainable_token_indices has {ids.Length} ids");
        if (ids.Distinct().Count() != ids.Length) throw Wrong("trainable_token_indices names a token twice");
        return new AdapterTokens(module, ids, rows);
    }

    private (StoredTensor A, StoredTensor B) Factors(string name, Dictionary<string, StoredTensor> parts)
    {
        var (a, b) = (Require(name, parts, FactorA), Require(name, parts, FactorB));
        if (parts.Count > 2)
            throw Wrong($"'{parts.First(part => part.Key is not (FactorA or FactorB)).Value.Info.Name}' is among factors of parameters");
        if (a.Info.Shape is not [> 0, > 0] || b.Info.Shape is not [> 0, var columns] || columns != a.Info.Shape[0])
            throw Wrong($"'{a.Info.Name}' {a.Info.ShapeText} and '{b.Info.Name}' {b.Info.ShapeText} are no factors of one matrix");
        return (a, b);
    }

    private AdapterModule Module(string name, Dictionary<string, StoredTensor> parts)
    {
        bool embedding = parts.ContainsKey(EmbeddingA) || parts.ContainsKey(EmbeddingB);
        var (a, b) = embedding
            ? (Require(name, parts, EmbeddingA), Require(name, parts, EmbeddingB))
            : (Require(name, parts, FactorA), Require(name, parts, FactorB));
        if (embedding && (parts.ContainsKey(FactorA) || parts.ContainsKey(FactorB)))
            throw Wrong($"module '{name}' has factors of an embedding and of a projection");
        StoredTensor? magnitude = parts.GetValueOrDefault(Magnitude), bias = parts.GetValueOrDefault(BiasOfB);
        bool follows = Config.EnsuresTying && ModuleNames.Canonical(name) == TiedHead.Module;
        if (!Config.Adapts(name) && !follows) throw Wrong($"module '{name}' has factors, but target_modules does not name it");
        if (a.Info.Shape.Length > 2)
            throw new WiscaException(
                $"{Where}: '{a.Info.Name}' is LoRA of a convolution, which is not supported",
                "merge the adapter with PEFT");
        int rank = Config.RankOf(name);
        if (a.Info.Shape is not [var rows, > 0] || rows != rank)
            throw Wrong($"'{a.Info.Name}' has shape {a.Info.ShapeText}, but {AdapterConfig.FileName} says rank {rank}");
        if (b.Info.Shape is not [> 0, var columns] || columns != rank)
            throw Wrong($"'{b.Info.Name}' has shape {b.Info.ShapeText}, expected {rank} columns as lora_A has rows");
        if (Config.Dora && magnitude is null) throw Wrong($"use_dora is true, but there is no '{Prefix}{name}{Magnitude}'");
        if (!Config.Dora && magnitude is not null) throw Wrong($"'{magnitude.Info.Name}' is there, but use_dora is false");
        if (Config.LoraBias && bias is null && !embedding) throw Wrong($"lora_bias is true, but there is no '{Prefix}{name}{BiasOfB}'");
        if (!Config.LoraBias && bias is not null) throw Wrong($"'{bias.Info.Name}' is there, but lora_bias is false");
        foreach (var vector in ((StoredTensor?[])[magnitude, bias]).OfType<StoredTensor>())
        {
            if (!vector.Info.Shape.AsSpan().SequenceEqual([b.Info.Shape[0]]))
                throw Wrong($"'{vector.Info.Name}' has shape {vector.Info.ShapeText}, expected [{b.Info.Shape[0]}]");
        }

        return new AdapterModule(name, rank, Config.ScaleOf(name), a, b, magnitude) { Bias = bias, IsEmbedding = embedding };
    }

    private StoredTensor Require(string name, Dictionary<string, StoredTensor> parts, string suffix) =>
        parts.GetValueOrDefault(suffix) ?? throw Wrong($"there is no '{Prefix}{name}{suffix}'");

    private WiscaException Wrong(string what) => new($"{Where}: {what}", Broken);
}

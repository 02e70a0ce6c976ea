using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
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
    internal const string FactorA = ".lora_A.weight", FactorB = ".lora_B.weight", Magnitude = ".lora_magnitude_vector";

    private const string Broken = "the adapter is broken, or its weights and its configuration do not belong together";

    private readonly SafetensorsFile _file;

    private Adapter(string folder, AdapterConfig config, SafetensorsFile file)
    {
        Folder = folder;
        Config = config;
        _file = file;
        var saved = ImmutableArray.CreateBuilder<(StoredTensor, string)>();
        var parts = new SortedDictionary<string, StoredTensor?[]>(StringComparer.Ordinal);
        foreach (var info in file.Header.Tensors) Sort(info, parts, saved);
        Modules = [.. parts.Select(entry => Module(entry.Key, entry.Value))];
        Saved = saved.ToImmutable();
        if (Modules.IsEmpty && Saved.IsEmpty) throw new WiscaException($"{Where}: there are no LoRA factors in it", Broken);
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
    /// <exception cref="WiscaException">The adapter is for another base; the message lists the differences.</exception>
    public AdapterBinding Bind(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return AdapterBinding.Create(this, checkpoint);
    }

    /// <inheritdoc />
    public void Dispose() => _file.Dispose();

    private void Sort(
        TensorInfo info, SortedDictionary<string, StoredTensor?[]> parts, ImmutableArray<(StoredTensor, string)>.Builder saved)
    {
        if (!info.Name.StartsWith(Prefix, StringComparison.Ordinal))
            throw new WiscaException(
                $"{Where}: tensor '{info.Name}', expected a name that begins with {Prefix}",
                "is this an adapter of PEFT?");
        string name = info.Name[Prefix.Length..];
        if (!info.Dtype.IsRescalable())
            throw new WiscaException($"{Where}: tensor '{info.Name}' is stored as {info.Dtype}, expected F32, F16, BF16 or F64", Broken);
        var tensor = new StoredTensor(_file, info);
        if (Part(name, FactorA, 0) || Part(name, FactorB, 1) || Part(name, Magnitude, 2) || Part(name, Magnitude + ".weight", 2)) return;
        if (name.Contains(".lora_embedding_", StringComparison.Ordinal))
            throw new WiscaException(
                $"{Where}: tensor '{info.Name}' is LoRA of an embedding, which is not supported",
                "train embeddings with modules_to_save, or merge the adapter with PEFT");
        if (name.Contains(".lora_", StringComparison.Ordinal))
            throw new WiscaException($"{Where}: tensor '{info.Name}' is not known", "merge the adapter with PEFT");
        if (info.Shape.Length is not (1 or 2))
            throw new WiscaException($"{Where}: tensor '{info.Name}' has shape {info.ShapeText}, expected a matrix or a vector", Broken);
        saved.Add((tensor, name.Replace(".base_layer.", ".", StringComparison.Ordinal)));

        bool Part(string full, string suffix, int index)
        {
            if (!full.EndsWith(suffix, StringComparison.Ordinal)) return false;
            string module = full[..^suffix.Length];
            if (!parts.TryGetValue(module, out var found)) parts.Add(module, found = new StoredTensor?[3]);
            found[index] = tensor;
            return true;
        }
    }

    private AdapterModule Module(string name, StoredTensor?[] parts)
    {
        var (a, b, magnitude) = (Require(parts[0], FactorA), Require(parts[1], FactorB), parts[2]);
        int rank = Config.RankOf(name);
        if (a.Info.Shape is not [var rows, > 0] || rows != rank)
            throw Wrong($"'{a.Info.Name}' has shape {a.Info.ShapeText}, but {AdapterConfig.FileName} says rank {rank}");
        if (b.Info.Shape is not [> 0, var columns] || columns != rank)
            throw Wrong($"'{b.Info.Name}' has shape {b.Info.ShapeText}, expected {rank} columns as lora_A has rows");
        if (Config.Dora && magnitude is null) throw Wrong($"use_dora is true, but there is no '{Prefix}{name}{Magnitude}'");
        if (!Config.Dora && magnitude is not null) throw Wrong($"'{magnitude.Info.Name}' is there, but use_dora is false");
        if (magnitude is not null && !magnitude.Info.Shape.AsSpan().SequenceEqual([b.Info.Shape[0]]))
            throw Wrong($"'{magnitude.Info.Name}' has shape {magnitude.Info.ShapeText}, expected [{b.Info.Shape[0]}]");
        if (!Config.Adapts(name)) throw Wrong($"module '{name}' has factors, but target_modules does not name it");
        return new AdapterModule(name, rank, Config.ScaleOf(name), a, b, magnitude);

        StoredTensor Require([NotNull] StoredTensor? tensor, string suffix) =>
            tensor ?? throw Wrong($"there is no '{Prefix}{name}{suffix}'");

        WiscaException Wrong(string what) => new($"{Where}: {what}", Broken);
    }
}

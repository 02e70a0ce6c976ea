using System.Collections.Immutable;
using System.Text.Json;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>
/// A Hugging Face model folder opened for reading: <c>config.json</c> and the weights, either one <c>model.safetensors</c> or the
/// shards that <c>model.safetensors.index.json</c> lists. Only headers are read; tensors stay in the files.
/// </summary>
public sealed class Checkpoint : IWeightFolder, IDisposable
{
    /// <summary>The name of an unsharded weight file.</summary>
    public const string WeightsName = "model.safetensors";

    /// <summary>The name of the index of a sharded checkpoint.</summary>
    public const string IndexName = "model.safetensors.index.json";

    private readonly Dictionary<string, StoredTensor> _tensors;

    private Checkpoint(
        string folder, ModelConfig config, bool isSharded, ImmutableArray<SafetensorsFile> shards, Dictionary<string, StoredTensor> tensors)
    {
        Folder = folder;
        Config = config;
        IsSharded = isSharded;
        Shards = shards;
        _tensors = tensors;
    }

    /// <summary>The folder's full path.</summary>
    public string Folder { get; }

    /// <summary>The model's configuration.</summary>
    public ModelConfig Config { get; }

    /// <summary>True where an index lists the shards.</summary>
    public bool IsSharded { get; }

    /// <summary>The weight files in the order of their names.</summary>
    public ImmutableArray<SafetensorsFile> Shards { get; }

    /// <summary>Every tensor, shard by shard, in the order of the bytes.</summary>
    public IEnumerable<StoredTensor> Tensors => from shard in Shards from tensor in shard.Header.Tensors select _tensors[tensor.Name];

    /// <summary>Number of stored elements: what is tied and stored once counts once.</summary>
    public long ParameterCount => Tensors.Sum(tensor => tensor.Info.ElementCount);

    /// <summary>
    /// True where the folder also holds an adapter. Hugging Face transformers attaches it when it loads the folder; Wisca reads the model's
    /// own weights alone.
    /// </summary>
    public bool HoldsAdapter => HoldsAdapterIn(Folder);

    string IWeightFolder.ConfigName => "config.json";

    /// <summary>Finds a tensor by name; null where the checkpoint does not have it.</summary>
    public StoredTensor? Find(string name) => _tensors.GetValueOrDefault(name);

    /// <summary>True where a folder holds a model and an adapter. See <see cref="HoldsAdapter"/>.</summary>
    /// <param name="folder">The folder.</param>
    public static bool HoldsAdapterIn(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return File.Exists(Path.Combine(folder, SideFiles.AdapterConfigName)) && File.Exists(Path.Combine(folder, "config.json"));
    }

    /// <summary>Refuses to write other weights where an adapter beside them would have to change too.</summary>
    /// <param name="hint">The way out.</param>
    /// <exception cref="WiscaException">There is an adapter.</exception>
    internal void CheckNoAdapter(string hint)
    {
        if (HoldsAdapter)
            throw new WiscaException(
                $"{Folder} also holds an adapter ({SideFiles.AdapterConfigName}), which transformers attaches on loading; it "
                + "would not fit the new weights",
                hint);
    }

    /// <summary>Opens a model folder and checks every header.</summary>
    /// <exception cref="WiscaException">The folder is not a checkpoint, or a file in it is broken.</exception>
    public static Checkpoint Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
        {
            if (string.IsNullOrWhiteSpace(folder)) throw new WiscaException("the model's path is empty", "name a model folder");
            throw File.Exists(folder)
                ? new WiscaException($"{folder} is a file", "give the model's folder, the one with config.json in it")
                : new WiscaException(
                    $"{folder} does not exist",
                    "give the path of a model folder; a model on the Hub is fetched with 'hf download NAME --local-dir DIR'");
        }

        var config = ModelConfig.Load(Path.Combine(folder, "config.json"));
        var map = ReadWeightMap(folder);
        var shards = new List<SafetensorsFile>();
        try
        {
            var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
            foreach (
                string name in map?.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
                    ?? Enumerable.Repeat(WeightsName, 1))
            {
                string path = Path.Combine(folder, name);
                if (map is not null && !Path.Exists(path))
                    throw new WiscaException(
                        $"{IndexName} lists {name}, which is not in {folder}",
                        "the download did not finish, or the shard was renamed");
                var shard = SafetensorsFile.Open(path);
                shards.Add(shard);
                Collect(shard, name, map, tensors);
            }

            if (map?.Keys.FirstOrDefault(name => !tensors.ContainsKey(name)) is { } missing)
                throw new WiscaException(
                    $"{IndexName} says that tensor '{missing}' is in {map[missing]}, but it is not there",
                    "the index belongs to other shards");
            return new Checkpoint(Path.GetFullPath(folder), config, map is not null, [.. shards], tensors);
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
    }

    /// <summary>Opens another folder that holds the same weight files, its configuration not written yet.</summary>
    internal Checkpoint Reopen(string folder)
    {
        var shards = new List<SafetensorsFile>();
        try
        {
            foreach (var shard in Shards) shards.Add(SafetensorsFile.Open(Path.Combine(folder, Path.GetFileName(shard.FullPath))));
            var tensors = shards.SelectMany(shard => shard.Header.Tensors, (shard, tensor) => new StoredTensor(shard, tensor));
            return new Checkpoint(
                folder,
                Config,
                IsSharded,
                [.. shards],
                tensors.ToDictionary(tensor => tensor.Info.Name, StringComparer.Ordinal));
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var shard in Shards) shard.Dispose();
    }

    private static void Collect(
        SafetensorsFile shard, string name, Dictionary<string, string>? map, Dictionary<string, StoredTensor> tensors)
    {
        foreach (var tensor in shard.Header.Tensors)
        {
            if (map is not null && !map.ContainsKey(tensor.Name))
                throw new WiscaException(
                    $"{name} holds tensor '{tensor.Name}', which {IndexName} does not list",
                    "the index belongs to other shards");
            if (map is not null && map[tensor.Name] != name)
                throw new WiscaException(
                    $"tensor '{tensor.Name}' is in {name}, but {IndexName} says {map[tensor.Name]}",
                    "the index belongs to other shards");
            tensors.Add(tensor.Name, new StoredTensor(shard, tensor));
        }
    }

    /// <summary>The index's map from tensor to shard; null where the checkpoint is a single file,
    /// which takes precedence as it does in transformers.</summary>
    private static Dictionary<string, string>? ReadWeightMap(string folder)
    {
        string index = Path.Combine(folder, IndexName);
        // A link to nothing exists too: it is an error to report, not a file to do without.
        if (Path.Exists(Path.Combine(folder, WeightsName))) return null;
        if (!Path.Exists(index))
        {
            bool pickled = Directory.EnumerateFiles(folder, "*.bin").Any();
            throw new WiscaException(
                $"{folder} has neither {WeightsName} nor {IndexName}",
                pickled
                    ? "only pickled weights are there: convert them with model.save_pretrained(DIR, safe_serialization=True)"
                    : "give the folder of a model saved as safetensors");
        }

        const string hint = "the index is broken; download or export it again";
        using var document = JsonFile.ReadObject(index, hint);
        if (!document.RootElement.TryGetProperty("weight_map", out var weights) || weights.ValueKind != JsonValueKind.Object)
            throw new WiscaException($"{IndexName} has no object weight_map", hint);
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in weights.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw new WiscaException($"{IndexName}: weight_map['{entry.Name}'] is not a string", hint);
            string shard = entry.Value.GetString()!;
            if (
                shard.AsSpan().ContainsAny('/', '\\', ':')
                || shard.Any(char.IsControl)
                || !shard.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                throw new WiscaException(
                    $"{IndexName}: weight_map['{entry.Name}'] is '{shard}', expected the plain name of a .safetensors file in the folder",
                    "an index must not reach outside its folder; do not trust this checkpoint");
            }

            map.Add(entry.Name, shard);
        }

        return map.Count > 0 ? map : throw new WiscaException($"{IndexName}: weight_map is empty", hint);
    }
}

using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Fuzz.Readers;

/// <summary>What a model folder and its ledger are made of.</summary>
internal sealed class CheckpointTargets : ITargets
{
    private const int PrefixLength = 8;
    private const long MaxHeader = 100_000_000;
    private static readonly string[] ShardNames = ["s1.safetensors", "s2.safetensors"];
    private readonly TemporaryFolder _folder = new();
    private readonly SmallLlama _model = new() { Layers = 1, Hidden = 4, HeadDim = 4, Heads = 2, KvHeads = 1 };
    private readonly Dictionary<string, string[]> _shards = [];
    private readonly string _config, _index, _ledger;

    public CheckpointTargets()
    {
        _model.Write(_folder["model"]);
        _config = _model.Config;
        using (var checkpoint = Checkpoint.Open(_folder["model"]))
            Rescaler.Rescale(checkpoint, _folder["ledger"], new RescaleOptions { Threads = 1, QueryKey = Transitions.Granularity.KvHead });
        _ledger = File.ReadAllText(_folder["ledger", Ledger.FileName]);

        Directory.CreateDirectory(_folder["index"]);
        File.WriteAllText(_folder["index", "config.json"], _config);
        var map = new JsonObject();
        var tensors = _model.Tensors();
        foreach (string name in ShardNames)
        {
            var own = tensors.Where((_, index) => index % 2 == (name == ShardNames[0] ? 0 : 1)).ToList();
            File.WriteAllBytes(_folder["index", name], TestCheckpoint.File(own));
            _shards.Add(name, [.. own.Select(tensor => tensor.Name)]);
            foreach (string tensor in _shards[name]) map[tensor] = name;
        }

        _index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 1 }, ["weight_map"] = map }.ToJsonString();
        All =
        [
            new Target(
                "header",
                60,
                CreateHeader,
                input => SafetensorsHeader.Parse(input.AsSpan(PrefixLength), Length(input), "x.safetensors"),
                input => ReferenceHeader.IsValid(input.AsSpan(PrefixLength), Length(input)))
            {
                JsonOf = input => input.AsMemory(PrefixLength),
            },
            new Target("file", 15, CreateFile, ReadFile, IsValidFile) { JsonOf = HeaderOfFile },
            new Target("index", 10, random => Mutator.Json(_index, random), ReadIndex, IsValidIndex),
            new Target("config", 7, random => Mutator.Json(_config, random), ReadConfig, null),
            new Target("ledger", 8, random => Mutator.Json(_ledger, random), ReadLedger, null),
        ];
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose() => _folder.Dispose();

    /// <summary>The length of the data, then the header's JSON.</summary>
    private static byte[] CreateHeader(Random random)
    {
        var (json, length) = ValidHeader.Create(random);
        byte[] prefix = new byte[PrefixLength];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, random.Next(30) == 0 ? length + random.Next(1, 5) : length);
        return [.. prefix, .. Mutator.Json(json, random)];
    }

    private static long Length(byte[] input) => BinaryPrimitives.ReadInt64LittleEndian(input);

    private static byte[] CreateFile(Random random)
    {
        var (json, length) = ValidHeader.Create(random);
        byte[] file = TestCheckpoint.File(Mutator.Json(json, random), new byte[length]);
        switch (random.Next(8))
        {
            case 0:
                BinaryPrimitives.WriteInt64LittleEndian(
                    file,
                    random.Next(3) switch
                    {
                        0 => random.NextInt64(),
                        1 => MaxHeader + random.Next(-2, 3),
                        _ => BinaryPrimitives.ReadInt64LittleEndian(file) + random.Next(-3, 4),
                    });
                return file;
            case 1:
                return file[..random.Next(file.Length + 1)];
            case 2:
                return Mutator.ByBytes(file, random);
            default:
                return file;
        }
    }

    private void ReadFile(byte[] input)
    {
        File.WriteAllBytes(_folder["x.safetensors"], input);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        foreach (var tensor in file.Header.Tensors)
        {
            if (file.Bytes(tensor, 0, (int)tensor.ByteLength).Length != tensor.ByteLength)
                throw new InvalidOperationException("a tensor shorter than its header says");
        }
    }

    public static ReadOnlyMemory<byte> HeaderOfFile(byte[] input)
    {
        if (input.Length < PrefixLength) return default;
        ulong claimed = BinaryPrimitives.ReadUInt64LittleEndian(input);
        return claimed > (ulong)(input.Length - PrefixLength) ? default : input.AsMemory(PrefixLength, (int)claimed);
    }

    private static bool IsValidFile(byte[] input)
    {
        var header = HeaderOfFile(input);
        return header.Length <= MaxHeader && ReferenceHeader.IsValid(header.Span, input.Length - PrefixLength - header.Length);
    }

    private void ReadIndex(byte[] input)
    {
        File.WriteAllBytes(_folder["index", "model.safetensors.index.json"], input);
        Checkpoint.Open(_folder["index"]).Dispose();
    }

    private bool IsValidIndex(byte[] input)
    {
        if (
            !ReferenceJson.TryParse(input, out object? root)
            || HasDuplicates(root)
            || root is not List<KeyValuePair<string, object?>> entries)
            return false;
        if (entries.Find(entry => entry.Key == "weight_map").Value is not List<KeyValuePair<string, object?>> { Count: > 0 } map)
            return false;
        var used = map.Select(entry => entry.Value as string).Distinct().ToList();
        return used.TrueForAll(shard => shard is not null && _shards.TryGetValue(shard, out string[]? tensors)
            && map.Where(entry => entry.Value as string == shard)
                .Select(entry => entry.Key)
                .Order(StringComparer.Ordinal)
                .SequenceEqual(tensors.Order(StringComparer.Ordinal)));
    }

    private static bool HasDuplicates(object? value) => value switch
    {
        List<KeyValuePair<string, object?>> entries => entries.DistinctBy(entry => entry.Key, StringComparer.Ordinal).Count()
            < entries.Count
            || entries.Exists(entry => HasDuplicates(entry.Value)),
        List<object?> items => items.Exists(HasDuplicates),
        _ => false,
    };

    private void ReadConfig(byte[] input)
    {
        File.WriteAllBytes(_folder["model", "config.json"], input);
        using var checkpoint = Checkpoint.Open(_folder["model"]);
        Inspector.Inspect(checkpoint, threads: 1);
    }

    /// <summary>A ledger that is accepted must also be undone, or refused as not belonging to the weights.</summary>
    private void ReadLedger(byte[] input)
    {
        File.WriteAllBytes(_folder["ledger", Ledger.FileName], input);
        using var checkpoint = Checkpoint.Open(_folder["ledger"]);
        try
        {
            Undoer.Undo(checkpoint, _folder["undone"], threads: 1);
        }
        finally
        {
            if (Directory.Exists(_folder["undone"])) Directory.Delete(_folder["undone"], recursive: true);
        }
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>Writes a decoder as a Hugging Face model folder.</summary>
internal sealed class ModelWriter(Decoder decoder, SaveOptions options)
{
    // Elements converted at a time.
    private const int Piece = 1 << 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2 };

    private readonly ScalarType _type = options.Dtype.IsRescalable()
        ? options.Dtype.ToScalarType()
        : throw new WiscaException($"a model cannot be saved as {options.Dtype}", "choose F32, BF16, F16 or F64");

    public void Write(string folder)
    {
        string config = Config();
        (string Name, Tensor Tensor)[] parameters = [.. decoder.Stored];
        using var output = OutputFolder.Prepare(folder, parameters.Sum(Bytes) + config.Length);
        var shards = Split(parameters);
        var map = new JsonObject();
        for (int shard = 0; shard < shards.Count; shard++)
        {
            string name = shards.Count == 1 ? Checkpoint.WeightsName : $"model-{shard + 1:00000}-of-{shards.Count:00000}.safetensors";
            WriteShard(Path.Combine(output.Staging, name), shards[shard]);
            foreach (var (parameter, _) in shards[shard]) map[parameter] = name;
        }

        if (shards.Count > 1)
        {
            var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = parameters.Sum(Bytes) }, ["weight_map"] = map };
            File.WriteAllText(Path.Combine(output.Staging, Checkpoint.IndexName), index.ToJsonString(Indented) + "\n");
        }

        output.Commit(() => File.WriteAllText(Path.Combine(output.Staging, "config.json"), config));
    }

    /// <summary>The configuration that the model was built from, with the class that Hugging Face has for it and the stored type.</summary>
    private string Config()
    {
        if (decoder.Config.Source is not { } source)
            throw new WiscaException(
                "the model's configuration was put together in code and has no JSON to save",
                "read it with DecoderConfig.From");
        var json = JsonObject.Create(source.Root)!;
        if (json["architectures"] is not JsonArray { Count: > 0 })
            json["architectures"] = new JsonArray(DecoderFamilies.ClassName(decoder.Config.ModelType));

        // Newer versions of transformers call it dtype.
        json[json.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = _type.ToString().ToLowerInvariant();
        return json.ToJsonString(Indented) + "\n";
    }

    private long Bytes((string Name, Tensor Tensor) parameter) => parameter.Tensor.numel() * options.Dtype.Bits() / 8;

    private List<List<(string Name, Tensor Tensor)>> Split(IEnumerable<(string Name, Tensor Tensor)> parameters)
    {
        var shards = new List<List<(string Name, Tensor Tensor)>>();
        long filled = 0;
        foreach (var parameter in parameters)
        {
            long size = Bytes(parameter);
            if (shards.Count == 0 || filled + size > options.ShardBytes)
            {
                shards.Add([]);
                filled = 0;
            }

            shards[^1].Add(parameter);
            filled += size;
        }

        return shards;
    }

    private void WriteShard(string path, List<(string Name, Tensor Tensor)> parameters)
    {
        var header = SafetensorsHeader.Create(
            parameters.Select(entry => (entry.Name, options.Dtype, entry.Tensor.shape)),
            new Dictionary<string, string> { ["format"] = "pt" });
        using var writer = new SafetensorsWriter(path, header);
        using var ungraded = no_grad();
        foreach (var (_, tensor) in parameters)
        {
            using var scope = NewDisposeScope();
            var flat = tensor.contiguous().view(-1);
            for (long begin = 0; begin < flat.shape[0]; begin += Piece)
            {
                using var step = NewDisposeScope();
                writer.Write(flat.narrow(0, begin, Math.Min(Piece, flat.shape[0] - begin)).to(_type, CPU).bytes);
            }
        }

        writer.Complete();
    }
}

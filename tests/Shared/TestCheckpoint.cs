using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Wisca.Tests;

/// <summary>Writes and reads checkpoint folders without the code under test.</summary>
internal static class TestCheckpoint
{
    public const string Weights = "model.safetensors", Index = "model.safetensors.index.json", Config = "config.json";

    /// <summary>A safetensors file of a header's text, as it is, and data.</summary>
    public static byte[] File(string header, byte[] data) => File(Encoding.UTF8.GetBytes(header), data);

    public static byte[] File(byte[] header, byte[] data)
    {
        byte[] file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        data.CopyTo(file, 8 + header.Length);
        return file;
    }

    public static byte[] File(IEnumerable<TestTensor> tensors, JsonObject? metadata = null)
    {
        var header = new JsonObject();
        if (metadata is not null) header["__metadata__"] = metadata;
        using var data = new MemoryStream();
        foreach (var tensor in tensors)
        {
            header[tensor.Name] = new JsonObject
            {
                ["dtype"] = tensor.Dtype,
                ["shape"] = new JsonArray([.. tensor.Shape.Select(dimension => (JsonNode?)dimension)]),
                ["data_offsets"] = new JsonArray(data.Length, data.Length + tensor.Bytes.Length),
            };
            data.Write(tensor.Bytes);
        }

        return File(header.ToJsonString(), data.ToArray());
    }

    /// <summary>Writes a folder with one weight file, or with an index and a file for each shard.</summary>
    public static void Write(string folder, string config, params IReadOnlyList<TestTensor>[] shards)
    {
        Directory.CreateDirectory(folder);
        System.IO.File.WriteAllText(Path.Combine(folder, Config), config);
        var map = new JsonObject();
        for (int shard = 0; shard < shards.Length; shard++)
        {
            string name = shards.Length == 1 ? Weights : $"model-{shard + 1:00000}-of-{shards.Length:00000}.safetensors";
            System.IO.File.WriteAllBytes(Path.Combine(folder, name), File(shards[shard], new JsonObject { ["format"] = "pt" }));
            foreach (var tensor in shards[shard]) map[tensor.Name] = name;
        }

        if (shards.Length > 1)
            System.IO.File.WriteAllText(
                Path.Combine(folder, Index),
                new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
    }

    /// <summary>Every tensor of the weight files in a folder.</summary>
    public static SortedDictionary<string, TestTensor> Read(string folder)
    {
        var tensors = new SortedDictionary<string, TestTensor>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder, "*.safetensors"))
        {
            byte[] file = System.IO.File.ReadAllBytes(path);
            int length = checked((int)BinaryPrimitives.ReadInt64LittleEndian(file));
            foreach (var (name, entry) in JsonNode.Parse(file.AsSpan(8, length))!.AsObject())
            {
                if (name == "__metadata__") continue;
                int begin = (int)entry!["data_offsets"]![0]!, end = (int)entry["data_offsets"]![1]!;
                tensors.Add(
                    name,
                    new TestTensor(
                        name,
                        (string)entry["dtype"]!,
                        [.. entry["shape"]!.AsArray().Select(dimension => (long)dimension!)],
                        file[(8 + length + begin)..(8 + length + end)]));
            }
        }

        return tensors;
    }
}

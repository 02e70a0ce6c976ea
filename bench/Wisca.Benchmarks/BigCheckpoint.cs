using System.Runtime.InteropServices;
using Wisca.Safetensors;

namespace Wisca.Benchmarks;

/// <summary>Generates a sharded Llama, BF16 unless said otherwise,
/// with the proportions of an 8B model and as many layers as a size asks for.</summary>
internal sealed class BigCheckpoint
{
    private const int HeadDim = 128, Vocabulary = 32000;

    private readonly int _hidden;

    private BigCheckpoint(int hidden) => _hidden = hidden;

    private int Heads => _hidden / HeadDim;

    private int KvHeads => Heads / 4;

    private int Intermediate => _hidden * 7 / 2;

    public static void Generate(string folder, double gigabytes, int hidden = 4096, bool tied = true, Dtype dtype = Dtype.BF16) =>
        new BigCheckpoint(hidden).Write(folder, gigabytes, tied, dtype);

    private void Write(string folder, double gigabytes, bool tied, Dtype dtype)
    {
        Directory.CreateDirectory(folder);
        var tensors = new List<(string Name, long[] Shape, double Deviation)>
        {
            ("model.embed_tokens.weight", [Vocabulary, _hidden], 0.02),
        };
        if (!tied) tensors.Add(("lm_head.weight", [Vocabulary, _hidden], 0.02));
        int element = dtype == Dtype.BF16 ? 2 : 4;
        long bytes = (long)element * Vocabulary * _hidden * tensors.Count;
        int layers = 0;
        while (layers == 0 || bytes < gigabytes * 1e9)
        {
            var layer = Layer(layers++).ToList();
            bytes += layer.Sum(tensor => element * tensor.Shape.Aggregate(1L, (product, dimension) => product * dimension));
            tensors.AddRange(layer);
        }

        tensors.Add(("model.norm.weight", [_hidden], 0.1));
        WriteShards(folder, tensors, shards: (int)Math.Max(2, Math.Ceiling(bytes / 1e9)), dtype);
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            $$"""
            {"model_type": "llama", "hidden_size": {{_hidden}}, "num_hidden_layers": {{layers}}, "num_attention_heads": {{Heads}},
             "num_key_value_heads": {{KvHeads}}, "intermediate_size": {{Intermediate}}, "vocab_size": {{Vocabulary}},
            "tie_word_embeddings": {{(tied ? "true" : "false")}}}
            """);
    }

    /// <summary>A model of the same names whose matrices are small, so that names are what takes time.</summary>
    public static void GenerateSmall(string folder, int tensors, int shards)
    {
        Directory.CreateDirectory(folder);
        const int divisor = 64, hidden = 4096;
        var shape = new BigCheckpoint(hidden);
        int layers = (tensors - 2) / shape.Layer(0).Count();
        List<(string Name, long[] Shape, double Deviation)> all =
        [
            .. Enumerable.Range(0, layers).SelectMany(shape.Layer),
            ("model.embed_tokens.weight", [Vocabulary, hidden], 0.02),
            ("model.norm.weight", [hidden], 1),
        ];
        all = [.. all.Select(tensor => tensor with { Shape = [.. tensor.Shape.Select(size => size / divisor)] })];
        WriteShards(folder, all, shards, Dtype.BF16);
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            $$"""
            {"model_type": "llama", "hidden_size": {{hidden / divisor}}, "num_hidden_layers": {{layers}},
             "num_attention_heads": {{shape.Heads}}, "num_key_value_heads": {{shape.KvHeads}},
             "intermediate_size": {{shape.Intermediate / divisor}}, "vocab_size": {{Vocabulary / divisor}}, "tie_word_embeddings": true}
            """);
    }

    private IEnumerable<(string Name, long[] Shape, double Deviation)> Layer(int index)
    {
        string name = $"model.layers.{index}.";
        yield return (name + "input_layernorm.weight", [_hidden], 0.1);
        yield return (name + "mlp.down_proj.weight", [_hidden, Intermediate], 0.02);
        yield return (name + "mlp.gate_proj.weight", [Intermediate, _hidden], 0.02);
        yield return (name + "mlp.up_proj.weight", [Intermediate, _hidden], 0.02);
        yield return (name + "post_attention_layernorm.weight", [_hidden], 0.1);

        // With these deviations both exchanges have factors other than 1, so that all of the attention is rewritten.
        yield return (name + "self_attn.k_proj.weight", [KvHeads * HeadDim, _hidden], 0.02);
        yield return (name + "self_attn.o_proj.weight", [_hidden, Heads * HeadDim], 0.02);
        yield return (name + "self_attn.q_proj.weight", [Heads * HeadDim, _hidden], 0.04);
        yield return (name + "self_attn.v_proj.weight", [KvHeads * HeadDim, _hidden], 0.01);
    }

    private static void WriteShards(string folder, List<(string Name, long[] Shape, double Deviation)> tensors, int shards, Dtype dtype)
    {
        var map = new List<string>();
        int perShard = (tensors.Count + shards - 1) / shards;
        for (int shard = 0; shard < shards; shard++)
        {
            string file = $"model-{shard + 1:00000}-of-{shards:00000}.safetensors";
            var own = tensors.Skip(shard * perShard).Take(perShard).ToList();
            map.AddRange(own.Select(tensor => $"\"{tensor.Name}\": \"{file}\""));
            var header = SafetensorsHeader.Create(
                own.Select(tensor => (tensor.Name, dtype, tensor.Shape)),
                new Dictionary<string, string> { ["format"] = "pt" });
            using var writer = new SafetensorsWriter(Path.Combine(folder, file), header);
            foreach (var tensor in own)
            {
                // Gains lie around one.
                double mean = tensor.Shape.Length == 1 ? 1 : 0;
                long count = tensor.Shape.Aggregate(1L, (product, dimension) => product * dimension);
                WriteNormal(writer, count, mean, tensor.Deviation, dtype);
            }

            writer.Complete();
        }

        File.WriteAllText(
            Path.Combine(folder, "model.safetensors.index.json"),
            $"{{\"metadata\": {{}}, \"weight_map\": {{{string.Join(",\n", map)}}}}}");
    }

    /// <summary>Normal numbers from a table that is walked with a stride:
    /// fast, and no run of zeros for a file system to compress.</summary>
    private static void WriteNormal(SafetensorsWriter writer, long count, double mean, double deviation, Dtype dtype)
    {
        var random = new Random(1);
        float[] table = new float[(1 << 19) + 7];
        for (int i = 0; i < table.Length; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            table[i] = (float)(mean + (normal * deviation));
        }

        byte[] bytes = dtype == Dtype.BF16
            ? [.. MemoryMarshal.AsBytes<ushort>([.. table.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))])]
            : [.. MemoryMarshal.AsBytes<float>(table)];
        int element = bytes.Length / table.Length;
        for (long written = 0; written < count; written += table.Length)
            writer.Write(bytes.AsSpan(0, (int)Math.Min(table.Length, count - written) * element));
    }
}

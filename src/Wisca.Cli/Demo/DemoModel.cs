using System.Runtime.InteropServices;
using Wisca.Safetensors;

namespace Wisca.Cli.Demo;

/// <summary>A small grouped-query Llama with random weights, its attention unbalanced on purpose.</summary>
internal static class DemoModel
{
    private const int Hidden = 128, Layers = 4, Heads = 8, KvHeads = 2, HeadDim = 16, Intermediate = 352, Vocabulary = 512;

    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            $$"""
            {
              "architectures": ["LlamaForCausalLM"],
              "model_type": "llama",
              "hidden_size": {{Hidden}},
              "intermediate_size": {{Intermediate}},
              "num_hidden_layers": {{Layers}},
              "num_attention_heads": {{Heads}},
              "num_key_value_heads": {{KvHeads}},
              "vocab_size": {{Vocabulary}},
              "max_position_embeddings": 512,
              "hidden_act": "silu",
              "rms_norm_eps": 1e-05,
              "rope_theta": 10000.0,
              "tie_word_embeddings": true
            }

            """);
        var tensors = Tensors().ToList();
        var header = SafetensorsHeader.Create(
            tensors.Select(tensor => (tensor.Name, Dtype.F32, tensor.Shape)),
            new Dictionary<string, string> { ["format"] = "pt" });
        using var writer = new SafetensorsWriter(Path.Combine(folder, "model.safetensors"), header);
        var random = new Random(16676);
        foreach (var (_, shape, deviation) in tensors)
        {
            float[] weights = new float[shape.Aggregate(1L, (product, dimension) => product * dimension)];
            for (int i = 0; i < weights.Length; i++) weights[i] = shape.Length == 1 ? 1 : (float)(deviation * Normal(random));
            writer.Write(MemoryMarshal.AsBytes<float>(weights));
        }

        writer.Complete();
    }

    /// <summary>Deviations that differ from projection to projection and from layer to layer.</summary>
    private static IEnumerable<(string Name, long[] Shape, double Deviation)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden], 0.06);
        for (int layer = 0; layer < Layers; layer++)
        {
            string name = $"model.layers.{layer}.";
            yield return (name + "input_layernorm.weight", [Hidden], 0);
            yield return (name + "self_attn.q_proj.weight", [Heads * HeadDim, Hidden], 0.12 + (0.03 * layer));
            yield return (name + "self_attn.k_proj.weight", [KvHeads * HeadDim, Hidden], 0.09);
            yield return (name + "self_attn.v_proj.weight", [KvHeads * HeadDim, Hidden], 0.05);
            yield return (name + "self_attn.o_proj.weight", [Hidden, Heads * HeadDim], 0.06 + (0.01 * layer));
            yield return (name + "post_attention_layernorm.weight", [Hidden], 0);
            yield return (name + "mlp.gate_proj.weight", [Intermediate, Hidden], 0.08);
            yield return (name + "mlp.up_proj.weight", [Intermediate, Hidden], 0.08);
            yield return (name + "mlp.down_proj.weight", [Hidden, Intermediate], 0.06);
        }

        yield return ("model.norm.weight", [Hidden], 0);
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

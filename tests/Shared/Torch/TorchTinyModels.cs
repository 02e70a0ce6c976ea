using Wisca.Safetensors;

namespace Wisca.Tests.Torch;

/// <summary>Small random Llama-like models, made on the spot.</summary>
internal static class TorchTinyModels
{
    public const int Hidden = 32, Layers = 2, Heads = 4, KvHeads = 2, HeadDim = 8, Intermediate = 48, Vocabulary = 50;

    /// <summary>The configuration of a llama; further keys are appended as they stand.</summary>
    public static string Config(string modelType = "llama", bool tied = false, string further = "") =>
        $$"""
        {
          "model_type": "{{modelType}}", "hidden_size": {{Hidden}}, "num_hidden_layers": {{Layers}}, "num_attention_heads": {{Heads}},
          "num_key_value_heads": {{KvHeads}}, "head_dim": {{HeadDim}}, "intermediate_size": {{Intermediate}}, "vocab_size": {{Vocabulary}},
          "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "hidden_act": "silu",
          "tie_word_embeddings": {{(tied ? "true" : "false")}}{{further}}
        }
        """;

    /// <summary>Random tensors: weights that make attention far from uniform, gains around 1.</summary>
    public static IEnumerable<(string Name, long[] Shape, float[] Values)> Tensors(int seed, bool bias = false, bool head = true)
    {
        var random = new Random(seed);
        yield return Matrix("model.embed_tokens.weight", Vocabulary, Hidden, 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string name = $"model.layers.{layer}.";
            yield return Gain(name + "input_layernorm.weight");
            foreach (
                var (role, rows) in ((string, int)[])
                    [("q_proj", Heads * HeadDim), ("k_proj", KvHeads * HeadDim), ("v_proj", KvHeads * HeadDim)])
            {
                yield return Matrix($"{name}self_attn.{role}.weight", rows, Hidden, 0.35);
                if (bias) yield return ($"{name}self_attn.{role}.bias", [rows], Normal(rows, 0.3));
            }

            yield return Matrix(name + "self_attn.o_proj.weight", Hidden, Heads * HeadDim, 0.2);
            yield return Gain(name + "post_attention_layernorm.weight");
            yield return Matrix(name + "mlp.gate_proj.weight", Intermediate, Hidden, 0.2);
            yield return Matrix(name + "mlp.up_proj.weight", Intermediate, Hidden, 0.2);
            yield return Matrix(name + "mlp.down_proj.weight", Hidden, Intermediate, 0.2);
        }

        yield return Gain("model.norm.weight");
        if (head) yield return Matrix("lm_head.weight", Vocabulary, Hidden, 0.5);

        (string, long[], float[]) Matrix(string name, int rows, int columns, double deviation) =>
            (name, [rows, columns], Normal(rows * columns, deviation));

        (string, long[], float[]) Gain(string name) => (name, [Hidden], Array.ConvertAll(Normal(Hidden, 0.2), value => 1 + value));

        float[] Normal(int count, double deviation) => [.. Enumerable.Range(0, count).Select(_ => (float)Sample(deviation))];

        double Sample(double deviation) =>
            deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    /// <summary>Writes a llama.</summary>
    public static void WriteLlama(string folder, int seed = 1, Dtype dtype = Dtype.F32, int shards = 1) =>
        ModelCopy.Write(folder, Config(), Tensors(seed), dtype, shards);

    /// <summary>Ids below <see cref="Vocabulary"/>.</summary>
    public static int[] Tokens(int count, int seed = 5)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Vocabulary))];
    }
}

namespace Wisca.Tests;

/// <summary>A small grouped-query Llama with random weights; every knob that rescaling reacts to.</summary>
internal sealed record SmallLlama
{
    public string Dtype { get; init; } = "F32";

    public int Layers { get; init; } = 2;

    public int Heads { get; init; } = 4;

    public int KvHeads { get; init; } = 2;

    public int HeadDim { get; init; } = 8;

    public int Hidden { get; init; } = 16;

    /// <summary>Tensors are dealt out to the shards in turn, so that partners lie in different ones.</summary>
    public int Shards { get; init; } = 1;

    public bool Biases { get; init; }

    public int Seed { get; init; } = 1;

    /// <summary>Standard deviation of a projection (q, k, v or o) in a layer.</summary>
    public Func<string, int, double> Deviation { get; init; } = (projection, layer) => projection switch
    {
        "q" => 0.3 + (0.1 * layer),
        "k" => 0.05,
        "v" => 0.02,
        _ => 0.25,
    };

    public string Config => $$"""
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": {{Hidden}}, "num_hidden_layers": {{Layers}},
          "num_attention_heads": {{Heads}}, "num_key_value_heads": {{KvHeads}}, "head_dim": {{HeadDim}}, "intermediate_size": 8,
          "vocab_size": 11, "rms_norm_eps": 1e-05, "rope_theta": 10000.0
        }
        """;

    public static string Weight(int layer, string projection) => $"model.layers.{layer}.self_attn.{projection}_proj.weight";

    public List<TestTensor> Tensors()
    {
        var random = new Random(Seed);
        var tensors = new List<TestTensor>();
        Add("model.embed_tokens.weight", [11, Hidden], 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string name = $"model.layers.{layer}.";
            Add(name + "input_layernorm.weight", [Hidden], 1);
            AddProjection("q", Heads * HeadDim, Hidden);
            AddProjection("k", KvHeads * HeadDim, Hidden);
            AddProjection("v", KvHeads * HeadDim, Hidden);
            AddProjection("o", Hidden, Heads * HeadDim);
            Add(name + "mlp.down_proj.weight", [Hidden, 8], 0.1);

            void AddProjection(string projection, int rows, int columns)
            {
                double deviation = Deviation(projection, layer);
                Add(Weight(layer, projection), [rows, columns], deviation);
                if (Biases) Add(Weight(layer, projection).Replace("weight", "bias", StringComparison.Ordinal), [rows], deviation);
            }
        }

        Add("model.norm.weight", [Hidden], 1);
        return tensors;

        void Add(string name, long[] shape, double deviation) =>
            tensors.Add(
                new TestTensor(
                    name,
                    Dtype,
                    shape,
                    ReferenceFloat.Bytes(
                        Dtype,
                        Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => deviation * Normal(random)))));
    }

    public void Write(string folder) => Write(folder, Tensors());

    public void Write(string folder, IReadOnlyList<TestTensor> tensors) =>
        TestCheckpoint.Write(
            folder,
            Config,
            [.. Enumerable.Range(0, Shards).Select(shard => tensors.Where((_, index) => index % Shards == shard).ToList())]);

    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

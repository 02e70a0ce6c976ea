using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Safetensors;

namespace Wisca.Core.Tests.Rotations;

/// <summary>
/// A tiny model, llama's or GPT-NeoX's (sequential, with biases everywhere), and its forward pass for a sequence of one token: there
/// softmax is 1, and attention gives back the token's own value.
/// </summary>
internal sealed class StreamModel(bool tied, bool layerNorm, bool uniformGain = false)
{
    private const int Layers = 2, Hidden = 16, Heads = 4, Inner = 20, Vocabulary = 11;

    private int KvHeads => layerNorm ? Heads : 2;

    public void Write(string folder, Dtype dtype)
    {
        const int d = Hidden / Heads;
        var random = new Random(5);
        var tensors = new List<(string Name, int[] Shape, double[] Values)>();
        string root = layerNorm ? "gpt_neox." : "model.";
        Add(root + (layerNorm ? "embed_in" : "embed_tokens") + ".weight", [Vocabulary, Hidden]);
        for (int layer = 0; layer < Layers; layer++)
        {
            string path = $"{root}layers.{layer}.";
            Norm(path + "input_layernorm");
            Norm(path + "post_attention_layernorm");
            if (layerNorm)
            {
                Linear(path + "attention.query_key_value", 3 * Hidden, Hidden);
                Linear(path + "attention.dense", Hidden, Hidden);
                Linear(path + "mlp.dense_h_to_4h", Inner, Hidden);
                Linear(path + "mlp.dense_4h_to_h", Hidden, Inner);
                continue;
            }

            Linear(path + "self_attn.q_proj", Hidden, Hidden);
            Linear(path + "self_attn.k_proj", KvHeads * d, Hidden);
            Linear(path + "self_attn.v_proj", KvHeads * d, Hidden);
            Linear(path + "self_attn.o_proj", Hidden, Hidden);
            Linear(path + "mlp.gate_proj", Inner, Hidden);
            Linear(path + "mlp.up_proj", Inner, Hidden);
            Linear(path + "mlp.down_proj", Hidden, Inner);
        }

        Norm(root + (layerNorm ? "final_layer_norm" : "norm"), uniformGain);
        if (!tied) Add(layerNorm ? "embed_out.weight" : "lm_head.weight", [Vocabulary, Hidden]);
        string sizes = $"'num_hidden_layers':{Layers},'hidden_size':{Hidden},'num_attention_heads':{Heads}";
        string family = layerNorm
            ? "'model_type':'gpt_neox','use_parallel_residual':false,'rotary_pct':1.0"
            : $"'model_type':'llama','num_key_value_heads':{KvHeads}";
        string config = $"{family},{sizes},'tie_word_embeddings':{(tied ? "true" : "false")}";
        TinyCheckpoint.Write(folder, "{" + config.Replace('\'', '"') + "}", dtype, tensors);

        void Add(string name, int[] shape) =>
            tensors.Add((name, shape, Draw(shape.Aggregate((x, y) => x * y), () => 0.4 * AttentionOracle.Gauss(random))));

        static double[] Draw(int count, Func<double> draw) => [.. Enumerable.Range(0, count).Select(_ => draw())];

        void Linear(string name, int outputs, int inputs)
        {
            Add(name + ".weight", [outputs, inputs]);
            if (layerNorm) Add(name + ".bias", [outputs]);
        }

        void Norm(string name, bool uniform = false)
        {
            tensors.Add((name + ".weight", [Hidden], Draw(Hidden, () => uniform ? 1.5 : 0.5 + random.NextDouble())));
            if (layerNorm) Add(name + ".bias", [Hidden]);
        }
    }

    /// <summary>The logits of each token alone.</summary>
    public static double[][] Logits(Checkpoint model)
    {
        bool neox = model.Config.ModelType == "gpt_neox";
        string root = neox ? "gpt_neox." : "model.";
        double[] embeddings = Values(model, root + (neox ? "embed_in" : "embed_tokens") + ".weight");
        string head = neox ? "embed_out" : model.Find("lm_head.weight") is null ? "model.embed_tokens" : "lm_head";
        return [.. Enumerable.Range(0, Vocabulary).Select(token => Of(embeddings[(token * Hidden)..((token + 1) * Hidden)]))];

        double[] Of(double[] x)
        {
            for (int layer = 0; layer < Layers; layer++)
            {
                string path = $"{root}layers.{layer}.";
                double[] read = Norm(path + "input_layernorm", x), y;
                if (neox)
                {
                    double[] fused = Linear(path + "attention.query_key_value", read);
                    y = Linear(path + "attention.dense", [.. Enumerable.Range(0, Hidden).Select(i => fused[(i / 4 * 12) + 8 + (i % 4)])]);
                }
                else
                {
                    double[] values = Linear(path + "self_attn.v_proj", read);
                    int sharing = Hidden / values.Length;
                    y = Linear(
                        path + "self_attn.o_proj", [.. Enumerable.Range(0, Hidden).Select(i => values[(i / 4 / sharing * 4) + (i % 4)])]);
                }

                x = [.. x.Zip(y, (a, b) => a + b)];
                read = Norm(path + "post_attention_layernorm", x);
                y = neox
                    ? Linear(path + "mlp.dense_4h_to_h", Array.ConvertAll(Linear(path + "mlp.dense_h_to_4h", read), Math.Tanh))
                    : Linear(
                        path + "mlp.down_proj",
                        [
                            .. Linear(path + "mlp.gate_proj", read).Zip(
                                Linear(path + "mlp.up_proj", read), (gate, up) => gate / (1 + Math.Exp(-gate)) * up),
                        ]);
                x = [.. x.Zip(y, (a, b) => a + b)];
            }

            return Linear(head, Norm(root + (neox ? "final_layer_norm" : "norm"), x));
        }

        double[] Norm(string name, double[] x)
        {
            double mean = neox ? x.Average() : 0;
            double[] centred = Array.ConvertAll(x, value => value - mean), gain = Values(model, name + ".weight");
            double size = Math.Sqrt(centred.Average(value => value * value));
            double[] bias = neox ? Values(model, name + ".bias") : new double[x.Length];
            return [.. centred.Select((value, i) => (value / size * gain[i]) + bias[i])];
        }

        double[] Linear(string name, double[] x)
        {
            double[] weight = Values(model, name + ".weight");
            double[] y = new double[weight.Length / x.Length];
            for (int row = 0; row < y.Length; row++)
            {
                for (int column = 0; column < x.Length; column++) y[row] += weight[(row * x.Length) + column] * x[column];
            }

            return model.Find(name + ".bias") is null ? y : [.. y.Zip(Values(model, name + ".bias"), (a, b) => a + b)];
        }
    }

    public static double[] Values(Checkpoint checkpoint, string name)
    {
        var matrix = new MatrixView(checkpoint.Find(name)!, 0);
        double[] values = new double[matrix.Rows * matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++) matrix.Decode(row, values.AsSpan(row * matrix.Columns, matrix.Columns));
        return values;
    }
}

using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Tests.Torch;

/// <summary>
/// The forward passes of qwen3, gemma3_text, qwen2_moe and mixtral in float64 loops, written from the families' formulas and sharing no
/// code with the library: the oracle of the tests.
/// </summary>
internal sealed class PlainDecoder(Checkpoint checkpoint)
{
    private readonly string _kind = checkpoint.Config.ModelType;
    private readonly List<(double[] Probabilities, int[] Chosen)> _routed = [];

    private bool IsGemma => _kind == "gemma3_text";

    /// <summary>Logits, [position][token].</summary>
    public double[][] Logits(int[] tokens)
    {
        _routed.Clear();
        double[][] embedding = Matrix("model.embed_tokens.weight");
        double factor = IsGemma ? Math.Sqrt(embedding[0].Length) : 1;
        double[][] x = [.. tokens.Select(token => embedding[token].Select(value => value * factor).ToArray())];
        for (int layer = 0; layer < Number("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}.";
            double[][] attended = Attention(layer, Norm(x, name + "input_layernorm"));
            if (IsGemma) attended = Norm(attended, name + "post_attention_layernorm");
            x = Sum(x, attended);
            double[][] fed = FeedForward(layer, Norm(x, name + (IsGemma ? "pre_feedforward_layernorm" : "post_attention_layernorm")));
            if (IsGemma) fed = Norm(fed, name + "post_feedforward_layernorm");
            x = Sum(x, fed);
        }

        double[][] head = checkpoint.Find("lm_head.weight") is null ? embedding : Matrix("lm_head.weight");
        return Product(Norm(x, "model.norm"), head);
    }

    /// <summary>The load-balancing loss of the last forward pass:
    /// over all layers' tokens together, experts x sum of share x mean probability.</summary>
    public double Balance()
    {
        int experts = _routed[0].Probabilities.Length;
        double sum = 0;
        for (int expert = 0; expert < experts; expert++)
        {
            double share = _routed.Count(token => token.Chosen.Contains(expert)) / (double)_routed.Count;
            sum += share * _routed.Average(token => token.Probabilities[expert]);
        }

        return experts * sum;
    }

    private int Number(string key, int missing = 0) => checkpoint.Config.FindInt(key, 0) ?? missing;

    private double[][] Attention(int layer, double[][] x)
    {
        string name = $"model.layers.{layer}.self_attn.";
        int heads = Number("num_attention_heads"), group = heads / Number("num_key_value_heads");
        bool sliding = IsGemma && (layer + 1) % Number("sliding_window_pattern") != 0;
        int window = sliding ? Number("sliding_window") : int.MaxValue;
        double theta = checkpoint.Config.FindNumber(sliding ? "rope_local_base_freq" : "rope_theta") ?? 10000;
        double[][] values = Linear(x, name + "v_proj"), q = Linear(x, name + "q_proj"), k = Linear(x, name + "k_proj");
        int d = q[0].Length / heads;
        double scale = Math.Sqrt(IsGemma ? Number("query_pre_attn_scalar") : d);
        bool normalised = IsGemma || _kind == "qwen3";
        double[][] mixed = [.. x.Select(_ => new double[heads * d])];
        for (int head = 0; head < heads; head++)
        {
            double[][] queries = Head(q, head, "q_norm"), keys = Head(k, head / group, "k_norm");
            for (int t = 0; t < x.Length; t++)
            {
                int first = window > t ? 0 : t - window + 1;
                double[] weights =
                [
                    .. Enumerable.Range(first, t + 1 - first).Select(s => Math.Exp(queries[t].Zip(keys[s], (a, b) => a * b).Sum() / scale)),
                ];
                double total = weights.Sum();
                for (int s = first; s <= t; s++)
                {
                    for (int c = 0; c < d; c++) mixed[t][(head * d) + c] += weights[s - first] / total * values[s][(head / group * d) + c];
                }
            }
        }

        return Linear(mixed, name + "o_proj");

        double[][] Head(double[][] all, int head, string norm)
        {
            double[][] own = [.. all.Select(row => row[(head * d)..((head + 1) * d)])];
            if (normalised) own = Norm(own, name + norm);
            return [.. own.Select((row, t) => row.Select((value, c) =>
            {
                double angle = t * Math.Pow(theta, -2.0 * (c % (d / 2)) / d);
                double other = c < d / 2 ? -row[c + (d / 2)] : row[c - (d / 2)];
                return (value * Math.Cos(angle)) + (other * Math.Sin(angle));
            }).ToArray())];
        }
    }

    private double[][] FeedForward(int layer, double[][] x)
    {
        string name = $"model.layers.{layer}." + (_kind == "mixtral" ? "block_sparse_moe." : "mlp.");
        if (checkpoint.Find(name + "gate.weight") is null) return Gated(x, name, "gate_proj", "up_proj", "down_proj");
        return [.. x.Select(token => Mixture(name, token))];
    }

    private double[] Mixture(string name, double[] token)
    {
        bool mixtral = _kind == "mixtral";
        double[] scores = Product([token], Matrix(name + "gate.weight"))[0], odds = [.. scores.Select(Math.Exp)];
        double[] probabilities = [.. odds.Select(value => value / odds.Sum())];
        int[] chosen =
        [
            .. Enumerable.Range(0, scores.Length).OrderByDescending(expert => scores[expert]).Take(Number("num_experts_per_tok")),
        ];
        _routed.Add((probabilities, chosen));
        double total = mixtral || checkpoint.Config.FindBool("norm_topk_prob") == true ? chosen.Sum(expert => probabilities[expert]) : 1;
        double[] result = new double[token.Length];
        foreach (int expert in chosen)
        {
            double[] own = mixtral
                ? Gated([token], $"{name}experts.{expert}.", "w1", "w3", "w2")[0]
                : Gated([token], $"{name}experts.{expert}.", "gate_proj", "up_proj", "down_proj")[0];
            for (int i = 0; i < result.Length; i++) result[i] += probabilities[expert] / total * own[i];
        }

        if (mixtral) return result;
        double open = 1 / (1 + Math.Exp(-Product([token], Matrix(name + "shared_expert_gate.weight"))[0][0]));
        double[] shared = Gated([token], name + "shared_expert.", "gate_proj", "up_proj", "down_proj")[0];
        return [.. result.Select((value, i) => value + (open * shared[i]))];
    }

    private double[][] Gated(double[][] x, string name, string gate, string up, string down)
    {
        double[][] gates = Linear(x, name + gate), inner = Linear(x, name + up);
        return Linear([.. inner.Select((row, t) => row.Select((value, i) => value * Activate(gates[t][i])).ToArray())], name + down);
    }

    private double Activate(double x) => IsGemma
        ? 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))))
        : x / (1 + Math.Exp(-x));

    private double[][] Norm(double[][] x, string module)
    {
        double[] gain = Vector(module + ".weight")!;
        double epsilon = checkpoint.Config.FindNumber("rms_norm_eps")!.Value;
        return [.. x.Select(row =>
        {
            double root = Math.Sqrt(row.Average(value => value * value) + epsilon);
            return row.Select((value, i) => value / root * (IsGemma ? 1 + gain[i] : gain[i])).ToArray();
        })];
    }

    private double[][] Linear(double[][] x, string module)
    {
        double[][] result = Product(x, Matrix(module + ".weight"));
        return Vector(module + ".bias") is { } bias
            ? [.. result.Select(row => row.Select((value, i) => value + bias[i]).ToArray())]
            : result;
    }

    private static double[][] Product(double[][] x, double[][] weight) =>
        [.. x.Select(row => weight.Select(other => row.Zip(other, (a, b) => a * b).Sum()).ToArray())];

    private static double[][] Sum(double[][] x, double[][] y) => [.. x.Zip(y, (a, b) => a.Zip(b, (left, right) => left + right).ToArray())];

    private double[][] Matrix(string name) => [.. Vector(name)!.Chunk((int)checkpoint.Find(name)!.Info.Shape[1])];

    private static double[] Doubles(StoredTensor tensor)
    {
        double[] values = new double[tensor.Info.ElementCount];
        tensor.Read(0, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private double[]? Vector(string name) => checkpoint.Find(name) switch
    {
        null => null,
        { Info.Dtype: Dtype.F64 } tensor => Doubles(tensor),
        { } tensor => Array.ConvertAll(ModelCopy.Values(tensor), value => (double)value),
    };
}

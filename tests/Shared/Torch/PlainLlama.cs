using System.Collections.Concurrent;
using System.Numerics;
using Wisca.Checkpoints;

namespace Wisca.Tests.Torch;

/// <summary>
/// A Llama's forward pass in float64 loops, written from the formulas and sharing no code with the library: the oracle of the tests.
/// </summary>
internal sealed class PlainLlama(Checkpoint checkpoint)
{
    private readonly int _heads = Number("num_attention_heads", checkpoint), _kvHeads = Number("num_key_value_heads", checkpoint);

    private readonly ConcurrentDictionary<string, double[][]?> _matrices = new();

    /// <summary>Radians per position of a rotary pair of a head of d channels.</summary>
    public Func<int, int, double> Frequency { get; init; } = (pair, d) => 1 / Math.Pow(10000, 2.0 * pair / d);

    /// <summary>How many positions a query sees.</summary>
    public int Window { get; init; } = int.MaxValue;

    /// <summary>Logits, [position][token].</summary>
    public double[][] Logits(int[] tokens)
    {
        double[][] embedding = Matrix("model.embed_tokens.weight") ?? Matrix("lm_head.weight")!;
        double[][] x = [.. tokens.Select(token => embedding[token].ToArray())];
        for (int layer = 0; layer < Number("num_hidden_layers", checkpoint); layer++)
        {
            string name = $"model.layers.{layer}.";
            Add(x, Attention(name + "self_attn.", Norm(x, name + "input_layernorm.weight")));
            double[][] read = Norm(x, name + "post_attention_layernorm.weight");
            double[][] gate = Linear(read, name + "mlp.gate_proj"), up = Linear(read, name + "mlp.up_proj");
            for (int t = 0; t < x.Length; t++)
            {
                for (int i = 0; i < up[t].Length; i++) up[t][i] *= gate[t][i] / (1 + Math.Exp(-gate[t][i]));
            }

            Add(x, Linear(up, name + "mlp.down_proj"));
        }

        double[][] head = Matrix("lm_head.weight") ?? embedding;
        return [.. Norm(x, "model.norm.weight").Select(state => head.Select(row => Dot(row, state)).ToArray())];
    }

    /// <summary>Mean negative log likelihood of each token after the first, in nats.</summary>
    public double Loss(int[] tokens)
    {
        double[][] logits = Logits(tokens);
        double sum = 0;
        for (int t = 0; t + 1 < tokens.Length; t++)
        {
            double largest = logits[t].Max();
            sum += largest + Math.Log(logits[t].Sum(logit => Math.Exp(logit - largest))) - logits[t][tokens[t + 1]];
        }

        return sum / (tokens.Length - 1);
    }

    private static int Number(string key, Checkpoint checkpoint) => checkpoint.Config.FindInt(key)!.Value;

    private double[][] Attention(string name, double[][] x)
    {
        double[][] q = Linear(x, name + "q_proj"), k = Linear(x, name + "k_proj"), v = Linear(x, name + "v_proj");
        int d = q[0].Length / _heads;
        double[][] mixed = [.. x.Select(_ => new double[_heads * d])];
        for (int head = 0; head < _heads; head++)
        {
            int from = head * d, kv = head / (_heads / _kvHeads) * d;
            for (int t = 0; t < x.Length; t++)
            {
                int first = Math.Max(0, t - Window + 1);
                double[] scores = new double[t + 1 - first];
                for (int s = first; s <= t; s++)
                {
                    for (int pair = 0; pair < d / 2; pair++)
                    {
                        // q.k after both have turned is q.k after q has turned by the distance:
                        // as complex numbers, Re(q conj(k) e^{i angle}).
                        var (sin, cos) = Math.SinCos((t - s) * Frequency(pair, d));
                        double qr = q[t][from + pair],
                            qi = q[t][from + pair + (d / 2)],
                            kr = k[s][kv + pair],
                            ki = k[s][kv + pair + (d / 2)];
                        scores[s - first] += (((qr * kr) + (qi * ki)) * cos) - (((qi * kr) - (qr * ki)) * sin);
                    }

                    scores[s - first] /= Math.Sqrt(d);
                }

                double largest = scores.Max(), total = scores.Sum(score => Math.Exp(score - largest));
                for (int s = first; s <= t; s++)
                {
                    double weight = Math.Exp(scores[s - first] - largest) / total;
                    for (int c = 0; c < d; c++) mixed[t][from + c] += weight * v[s][kv + c];
                }
            }
        }

        return Linear(mixed, name + "o_proj");
    }

    private double[][] Norm(double[][] x, string gain)
    {
        double[] weights = Vector(gain)!;
        double epsilon = checkpoint.Config.FindNumber("rms_norm_eps")!.Value;
        return [.. x.Select(state =>
        {
            double root = Math.Sqrt((state.Sum(value => value * value) / state.Length) + epsilon);
            return state.Select((value, i) => value / root * weights[i]).ToArray();
        })];
    }

    private double[][] Linear(double[][] x, string module)
    {
        double[][] weight = Matrix(module + ".weight")!;
        double[]? bias = Vector(module + ".bias");
        return [.. x.Select(input => weight.Select((row, i) => Dot(row, input) + (bias?[i] ?? 0)).ToArray())];
    }

    private double[][]? Matrix(string name) =>
        _matrices.GetOrAdd(name, _ => Vector(name) is { } values ? [.. values.Chunk((int)checkpoint.Find(name)!.Info.Shape[1])] : null);

    private double[]? Vector(string name) =>
        checkpoint.Find(name) is { } tensor ? Array.ConvertAll(ModelCopy.Values(tensor), value => (double)value) : null;

    private static double Dot(double[] a, double[] b)
    {
        var sums = Vector<double>.Zero;
        int i = 0;
        for (; i <= a.Length - Vector<double>.Count; i += Vector<double>.Count) sums += new Vector<double>(a, i) * new Vector<double>(b, i);
        double sum = System.Numerics.Vector.Sum(sums);
        for (; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static void Add(double[][] x, double[][] y)
    {
        for (int t = 0; t < x.Length; t++)
        {
            for (int i = 0; i < x[t].Length; i++) x[t][i] += y[t][i];
        }
    }
}

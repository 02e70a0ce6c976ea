using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Core.Tests.Architectures;

/// <summary>
/// What a family's attention computes, in float64, from its own idea of where everything is: projections, biases, clamps, norms, RoPE,
/// grouped causal attention, output projection.
/// </summary>
internal static class AttentionOracle
{
    private const int Length = 6;

    /// <summary>Every layer's attention output for a random input, position after position.</summary>
    public static double[][] Outputs(TinyFamily family, Checkpoint checkpoint) =>
        [
            .. Enumerable
                .Range(0, family.Layers)
                .Except(family.LayersWithoutAttention)
                .Select(layer => Run(family, checkpoint, layer, Input(family.Hidden, layer)).SelectMany(row => row).ToArray()),
        ];

    /// <summary>The largest over layers of |y_A - y_B| / |y_A|.</summary>
    public static double RelativeError(double[][] a, double[][] b)
    {
        double worst = 0;
        foreach (var (left, right) in a.Zip(b))
        {
            double difference = Math.Sqrt(left.Zip(right, (l, r) => (l - r) * (l - r)).Sum());
            double length = Math.Sqrt(left.Sum(value => value * value));
            length.ShouldBeGreaterThan(0);
            worst = Math.Max(worst, difference / length);
        }

        return worst;
    }

    private static double[][] Input(int hidden, int layer)
    {
        var random = new Random(1000 + layer);
        return [.. Enumerable.Range(0, Length).Select(_ => Enumerable.Range(0, hidden).Select(_ => Gauss(random)).ToArray())];
    }

    /// <summary>One layer's attention: [positions][hidden].</summary>
    private static double[][] Run(TinyFamily family, Checkpoint checkpoint, int layer, double[][] x)
    {
        int d = family.HeadDim, group = family.Heads / family.KvHeads;
        string name = family.LayerName(layer);
        double[][][] q = Project('q', family.Heads), k = Project('k', family.KvHeads), v = Project('v', family.KvHeads);
        Normalise(q, 'q');
        Normalise(k, 'k');
        if (family.Rotates(layer))
        {
            Rotate(family, q);
            Rotate(family, k);
        }

        double[]? sinks = family.Sinks is null ? null : Read(checkpoint, name + family.Sinks);
        double[] output = Read(checkpoint, $"{name}{family.O}.weight");
        double[]? outputBias = family.OutputBias ? Read(checkpoint, $"{name}{family.O}.bias") : null;
        var y = new double[x.Length][];
        for (int i = 0; i < x.Length; i++)
        {
            double[] concatenated = new double[family.Heads * d];
            for (int head = 0; head < family.Heads; head++)
            {
                double[] logits = new double[i + 1];
                for (int j = 0; j <= i; j++)
                {
                    double z = Enumerable.Range(0, d).Sum(c => q[i][head][c] * k[j][head / group][c]) / Math.Sqrt(d);
                    if (family.SoftCap is { } cap) z = cap * Math.Tanh(z / cap);
                    if (family.Alibi) z -= Math.Pow(2, -head - 1) * (i - j);
                    logits[j] = z;
                }

                double[] weights = [.. logits.Select(Math.Exp)];
                double total = weights.Sum() + (sinks is null ? 0 : Math.Exp(sinks[head]));
                for (int c = 0; c < d; c++)
                    concatenated[(head * d) + c] = Enumerable.Range(0, i + 1).Sum(j => weights[j] / total * v[j][head / group][c]);
            }

            y[i] = new double[family.Hidden];
            for (int row = 0; row < family.Hidden; row++)
            {
                double sum = outputBias?[row] ?? 0;
                for (int c = 0; c < concatenated.Length; c++)
                    sum +=
                        concatenated[c] * (family.Transposed ? output[(c * family.Hidden) + row] : output[(row * concatenated.Length) + c]);
                y[i][row] = sum;
            }
        }

        return y;

        // [positions][heads][channels]
        double[][][] Project(char role, int heads)
        {
            var (module, rows) = family.ModuleOf(role);
            double[] weight = Read(checkpoint, $"{name}{module}.weight");
            double[]? bias = family.Bias ? Read(checkpoint, $"{name}{module}.bias") : null;
            return [.. x.Select(input => Enumerable.Range(0, heads).Select(head => Head(input, family.RowOf(role, head))).ToArray())];

            double[] Head(double[] input, int start) => [.. Enumerable.Range(start, d).Select(row => Channel(input, row))];

            double Channel(double[] input, int row)
            {
                double sum = bias?[row] ?? 0;
                for (int i = 0; i < input.Length; i++)
                    sum += input[i] * (family.Transposed ? weight[(i * rows) + row] : weight[(row * input.Length) + i]);
                return family.Clip is { } clip ? Math.Clamp(sum, -clip, clip) : sum;
            }
        }

        void Normalise(double[][][] heads, char role)
        {
            if (family.Norm == HeadNorm.None) return;
            string norm = name + family.NormName.Replace('?', role);
            double[] gain = family.Norm == HeadNorm.LayerNormEach
                ? [.. Enumerable.Range(0, heads[0].Length).SelectMany(head => Read(checkpoint, $"{norm}.norms.{head}.weight"))]
                : Read(checkpoint, norm + ".weight");
            double[]? bias = family.Norm == HeadNorm.LayerNormShared ? Read(checkpoint, norm + ".bias") : null;
            foreach (double[][] position in heads)
            {
                double whole = Rms(position.SelectMany(head => head));
                for (int head = 0; head < position.Length; head++)
                {
                    double[] values = position[head];
                    double mean = values.Average(), rms = Rms(values), deviation = Rms(values.Select(value => value - mean));
                    for (int c = 0; c < d; c++)
                    {
                        values[c] = family.Norm switch
                        {
                            HeadNorm.RmsPerHead => values[c] / rms * gain[c],
                            HeadNorm.RmsPerHeadPlusOne => values[c] / rms * (1 + gain[c]),
                            HeadNorm.RmsWhole => values[c] / whole * gain[(head * d) + c],
                            HeadNorm.LayerNormHeads or HeadNorm.LayerNormEach => (values[c] - mean) / deviation * gain[(head * d) + c],
                            HeadNorm.LayerNormShared => ((values[c] - mean) / deviation * gain[c]) + bias![c],
                            _ => throw new InvalidOperationException(),
                        };
                    }
                }
            }
        }
    }

    private static double Rms(IEnumerable<double> values) => Math.Sqrt(values.Average(value => value * value) + 1e-6);

    private static void Rotate(TinyFamily family, double[][][] heads)
    {
        int r = family.RotaryDims;
        for (int position = 0; position < heads.Length; position++)
        {
            foreach (double[] values in heads[position])
            {
                for (int pair = 0; pair < r / 2; pair++)
                {
                    var (first, second) = family.Pairs == PairKind.Half ? (pair, pair + (r / 2)) : (2 * pair, (2 * pair) + 1);
                    var (sin, cos) = Math.SinCos(position * Math.Pow(30, -2.0 * pair / r));
                    (values[first], values[second]) = (
                        (values[first] * cos) - (values[second] * sin),
                        (values[second] * cos) + (values[first] * sin));
                }
            }
        }
    }

    private static double[] Read(Checkpoint checkpoint, string name)
    {
        var tensor = checkpoint.Find(name);
        tensor.ShouldNotBeNull(name);
        var bytes = tensor.Bytes(0, (int)tensor.Info.ByteLength);
        return tensor.Info.Dtype switch
        {
            Dtype.F64 => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
            Dtype.F32 => [.. MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(value => (double)value)],
            Dtype.BF16 =>
            [
                .. MemoryMarshal
                    .Cast<byte, ushort>(bytes)
                    .ToArray()
                    .Select(value => (double)BitConverter.UInt32BitsToSingle((uint)value << 16)),
            ],
            Dtype.F16 => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(value => (double)value)],
            _ => throw new InvalidOperationException(),
        };
    }

    internal static double Gauss(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

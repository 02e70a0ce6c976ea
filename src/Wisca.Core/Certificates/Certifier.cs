using System.Text.Json;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>
/// Proves that two checkpoints are the same function without a forward pass. Attention uses W_q and W_k only through q.k, and W_v and
/// W_o only through W_o(h) W_v; so each layer's two maps are compared on random probes in float64, and everything else byte by byte.
/// </summary>
public static class Certifier
{
    private const int Probes = 4;

    // Keys of config.json that say where a model comes from or how to store it, not what it computes.
    private static readonly string[] IgnoredKeys = ["_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"];

    // (query position, key position): the same place, near and far apart, both ways.
    private static readonly (int Query, int Key)[] Positions = [(0, 0), (7, 2), (3, 50), (1023, 511)];

    /// <summary>Compares two checkpoints.</summary>
    /// <param name="a">The reference.</param>
    /// <param name="b">The other.</param>
    /// <param name="seed">Seed of the probes.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told the share of the work that is done.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A checkpoint is of an unknown type or broken.</exception>
    public static CertificateReport Compare(
        Checkpoint a,
        Checkpoint b,
        ulong seed = 0,
        ArchitectureTable? table = null,
        int threads = 0,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (threads <= 0) threads = Environment.ProcessorCount;
        var layout = ModelLayout.Resolve(a, table);
        var differences = new List<string>(ConfigDifferences(a.Config, b.Config));
        differences.AddRange(HeaderDifferences(a, b));
        if (differences.Count > 0) return new CertificateReport([], [.. differences], 0, false);

        var exact = OnlyPowersOfTwoBetween(a, b);
        var allowed = AllowedIndices(layout);
        var tensors = a.Tensors.ToList();
        long total = tensors.Sum(tensor => tensor.Info.ByteLength), compared = 0;
        int probed = 0;
        var changed = new HashSet<string>(StringComparer.Ordinal);
        Workers.Run(
            tensors,
            threads,
            tensor =>
            {
                string name = tensor.Info.Name;
                var other = b.Find(name)!;
                if (!SameBytes(tensor, other))
                {
                    string? difference = allowed.TryGetValue(name, out var indices) ? OutsideDifference(tensor, other, indices) : $"tensor '{name}' differs";
                    lock (changed)
                    {
                        changed.Add(name);
                        if (difference is not null) differences.Add(difference);
                    }
                }

                progress?.Report(0.5 * Interlocked.Add(ref compared, tensor.Info.ByteLength) / total);
            },
            cancellation);

        var layers = new LayerCertificate[layout.Layers.Length];
        Workers.Run(
            layout.Layers,
            threads,
            layer =>
            {
                layers[layer.Index] = new LayerProbe(a, b, layout, layer, seed, changed).Certify(exact);
                progress?.Report(0.5 + (0.5 * Interlocked.Increment(ref probed) / layers.Length));
            },
            cancellation);
        differences.Sort(StringComparer.Ordinal);
        return new CertificateReport([.. layers], [.. differences], changed.Count, exact);
    }

    private static IEnumerable<string> ConfigDifferences(ModelConfig a, ModelConfig b)
    {
        var left = a.Root.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
        var right = b.Root.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
        foreach (string key in left.Keys.Union(right.Keys).Except(IgnoredKeys).Order(StringComparer.Ordinal))
        {
            bool inLeft = left.TryGetValue(key, out var x), inRight = right.TryGetValue(key, out var y);
            if (!inLeft || !inRight || !JsonElement.DeepEquals(x, y)) yield return $"config.json differs at '{key}'";
        }
    }

    private static IEnumerable<string> HeaderDifferences(Checkpoint a, Checkpoint b)
    {
        foreach (var tensor in a.Tensors)
        {
            if (b.Find(tensor.Info.Name)?.Info is not { } other) yield return $"tensor '{tensor.Info.Name}' is only in the first";
            else if (other.Dtype != tensor.Info.Dtype) yield return $"tensor '{tensor.Info.Name}' is {tensor.Info.Dtype} in the first and {other.Dtype} in the second";
            else if (!other.Shape.SequenceEqual(tensor.Info.Shape)) yield return $"tensor '{tensor.Info.Name}' is {tensor.Info.ShapeText} in the first and {other.ShapeText} in the second";
        }

        foreach (var tensor in b.Tensors.Where(tensor => a.Find(tensor.Info.Name) is null)) yield return $"tensor '{tensor.Info.Name}' is only in the second";
    }

    /// <summary>For each attention tensor, the indices along its axis that an exchange may scale.</summary>
    private static Dictionary<string, (int Axis, HashSet<int> Indices)> AllowedIndices(ModelLayout layout)
    {
        var allowed = new Dictionary<string, (int Axis, HashSet<int> Indices)>(StringComparer.Ordinal);
        foreach (var layer in layout.Layers)
        {
            foreach (var kind in Enum.GetValues<TransitionKind>())
            {
                if (Exchange.TryCompile(layout, layer, kind, Granularity.Tensor, out _) is not { } exchange) continue;
                foreach (var slice in exchange.Slices)
                {
                    if (!allowed.TryGetValue(slice.Tensor, out var entry)) allowed.Add(slice.Tensor, entry = (slice.Axis, []));
                    foreach (var run in slice.Runs) entry.Indices.UnionWith(Enumerable.Range(run.Start, run.Count));
                }
            }
        }

        return allowed;
    }

    private static bool SameBytes(StoredTensor a, StoredTensor b)
    {
        const int piece = 1 << 24;
        for (long offset = 0; offset < a.Info.ByteLength; offset += piece)
        {
            int length = (int)Math.Min(piece, a.Info.ByteLength - offset);
            if (!a.Bytes(offset, length).SequenceEqual(b.Bytes(offset, length))) return false;
        }

        return true;
    }

    /// <summary>Says where two tensors differ outside the indices that may; null where they do not.</summary>
    private static string? OutsideDifference(StoredTensor a, StoredTensor b, (int Axis, HashSet<int> Indices) allowed)
    {
        var left = new MatrixView(a, allowed.Axis);
        var right = new MatrixView(b, allowed.Axis);
        if (allowed.Indices.Count == left.Length) return null;
        int size = left.Dtype.Bits() / 8;
        for (int row = 0; row < left.Rows; row++)
        {
            if (left.Row(row).SequenceEqual(right.Row(row)) || (left.ByRow && allowed.Indices.Contains(row))) continue;
            for (int column = 0; column < left.Columns; column++)
            {
                if (!left.ByRow && allowed.Indices.Contains(column)) continue;
                if (!left.Row(row).Slice(column * size, size).SequenceEqual(right.Row(row).Slice(column * size, size)))
                    return $"tensor '{a.Info.Name}' differs in {(left.ByRow ? "row" : "column")} {(left.ByRow ? row : column)}, which no exact transition scales";
            }
        }

        return null;
    }

    /// <summary>True where one ledger continues the other with lossless power-of-two moves only.</summary>
    private static bool OnlyPowersOfTwoBetween(Checkpoint a, Checkpoint b)
    {
        var left = Ledger.Load(a.Folder)?.Moves ?? [];
        var right = Ledger.Load(b.Folder)?.Moves ?? [];
        if (left.Count == right.Count) return false;
        var (shorter, longer) = left.Count < right.Count ? (left, right) : (right, left);
        for (int i = 0; i < shorter.Count; i++)
        {
            if (!shorter[i].Tensors.SequenceEqual(longer[i].Tensors)) return false;
        }

        return longer.Skip(shorter.Count).All(move => move.PowersOfTwo && move.Lost.Count == 0);
    }

    private sealed class LayerProbe(Checkpoint a, Checkpoint b, ModelLayout layout, AttentionLayer layer, ulong seed, HashSet<string> changed)
    {
        private ulong _state = seed ^ (0x5DEE_CE66_DUL * (ulong)(layer.Index + 1));

        public LayerCertificate Certify(bool exact)
        {
            double tolerance = exact ? 0 : Tolerance();
            return new LayerCertificate(
                layer.Index,
                layer.Refusals.ContainsKey(TransitionKind.QueryKey) ? null : QueryKeyError(),
                layer.Refusals.ContainsKey(TransitionKind.ValueOutput) ? null : ValueOutputError(),
                tolerance);
        }

        private double Tolerance()
        {
            int bits = new[] { layer.Query, layer.Key, layer.Value, layer.Output }.Select(projection => a.Find(projection.Weight)!.Info.Dtype)
                .Where(dtype => dtype.IsRescalable()).Select(dtype => dtype.SignificandBits()).DefaultIfEmpty(53).Min();

            // Float64 weights are as precise as the probes' own arithmetic, whose sums of thousands of terms need room.
            return bits == 53 ? 1e-12 : 4 * Math.ScaleB(1, -bits);
        }

        private double QueryKeyError()
        {
            if (!Changed(layer.Query, layer.Key)) return 0;
            double[][] x = Random(layout.HiddenSize), y = Random(layout.HiddenSize);
            double[][] queriesA = Project(a, layer.Query, x), queriesB = Project(b, layer.Query, x);
            double[][] keysA = Project(a, layer.Key, y), keysB = Project(b, layer.Key, y);
            int d = layout.HeadDim, sharing = layout.Heads / layout.KvHeads;
            double[] query = new double[d], key = new double[d];
            double worst = 0;
            for (int head = 0; head < layout.Heads; head++)
            {
                double difference = 0, length = 0;
                for (int probe = 0; probe < Probes; probe++)
                {
                    foreach (var (queryPosition, keyPosition) in Positions)
                    {
                        double zA = Form(queriesA[probe], keysA[probe]), zB = Form(queriesB[probe], keysB[probe]);
                        difference += (zA - zB) * (zA - zB);
                        length += zA * zA;

                        double Form(double[] queries, double[] keys)
                        {
                            Rotate(queries.AsSpan(head * d, d), queryPosition, query);
                            Rotate(keys.AsSpan(head / sharing * d, d), keyPosition, key);
                            return Dot(query, key);
                        }
                    }
                }

                worst = Math.Max(worst, Relative(difference, length));
            }

            return worst;
        }

        private double ValueOutputError()
        {
            if (!Changed(layer.Value, layer.Output)) return 0;
            double[][] x = Random(layout.HiddenSize);
            double[][] valuesA = Project(a, layer.Value, x), valuesB = Project(b, layer.Value, x);
            double[] differences = new double[layout.Heads], lengths = new double[layout.Heads];
            int d = layout.HeadDim, sharing = layout.Heads / layout.KvHeads;
            var left = new MatrixView(a.Find(layer.Output.Weight)!, layer.Output.Axis);
            var right = new MatrixView(b.Find(layer.Output.Weight)!, layer.Output.Axis);
            double[] rowA = new double[left.Columns], rowB = new double[left.Columns];
            if (!left.ByRow)
            {
                // A row is one output: it meets every head's values in that head's columns.
                for (int row = 0; row < left.Rows; row++)
                {
                    Elements.Decode(left.Dtype, left.Row(row), rowA);
                    Elements.Decode(right.Dtype, right.Row(row), rowB);
                    for (int head = 0; head < layout.Heads; head++)
                    {
                        for (int probe = 0; probe < Probes; probe++)
                        {
                            double yA = Dot(rowA.AsSpan(layer.Output.Starts[head], d), valuesA[probe].AsSpan(head / sharing * d, d));
                            double yB = Dot(rowB.AsSpan(layer.Output.Starts[head], d), valuesB[probe].AsSpan(head / sharing * d, d));
                            differences[head] += (yA - yB) * (yA - yB);
                            lengths[head] += yA * yA;
                        }
                    }
                }
            }
            else
            {
                // Conv1D: a row is one input channel; each head's rows add up to its output.
                for (int head = 0; head < layout.Heads; head++)
                {
                    double[][] yA = Zeros(left.Columns), yB = Zeros(left.Columns);
                    for (int channel = 0; channel < d; channel++)
                    {
                        Elements.Decode(left.Dtype, left.Row(layer.Output.Starts[head] + channel), rowA);
                        Elements.Decode(right.Dtype, right.Row(layer.Output.Starts[head] + channel), rowB);
                        for (int probe = 0; probe < Probes; probe++)
                        {
                            AddMultiple(yA[probe], rowA, valuesA[probe][(head / sharing * d) + channel]);
                            AddMultiple(yB[probe], rowB, valuesB[probe][(head / sharing * d) + channel]);
                        }
                    }

                    for (int probe = 0; probe < Probes; probe++)
                    {
                        for (int i = 0; i < left.Columns; i++)
                        {
                            differences[head] += (yA[probe][i] - yB[probe][i]) * (yA[probe][i] - yB[probe][i]);
                            lengths[head] += yA[probe][i] * yA[probe][i];
                        }
                    }
                }
            }

            return Enumerable.Range(0, layout.Heads).Max(head => Relative(differences[head], lengths[head]));
        }

        private bool Changed(params ReadOnlySpan<Projection> projections)
        {
            foreach (var projection in projections)
            {
                if (changed.Contains(projection.Weight) || (projection.Bias is { } bias && changed.Contains(bias))) return true;
            }

            return false;
        }

        /// <summary>W x + b for each probe, head after head.</summary>
        private double[][] Project(Checkpoint checkpoint, Projection projection, double[][] x)
        {
            int d = layout.HeadDim;
            double[][] result = Zeros(projection.Starts.Length * d);
            var matrix = new MatrixView(checkpoint.Find(projection.Weight)!, projection.Axis);
            double[] row = new double[matrix.Columns];
            if (matrix.ByRow)
            {
                for (int head = 0; head < projection.Starts.Length; head++)
                {
                    for (int channel = 0; channel < d; channel++)
                    {
                        Elements.Decode(matrix.Dtype, matrix.Row(projection.Starts[head] + channel), row);
                        for (int probe = 0; probe < Probes; probe++) result[probe][(head * d) + channel] = Dot(row, x[probe]);
                    }
                }
            }
            else
            {
                for (int input = 0; input < matrix.Rows; input++)
                {
                    Elements.Decode(matrix.Dtype, matrix.Row(input), row);
                    for (int head = 0; head < projection.Starts.Length; head++)
                    {
                        for (int probe = 0; probe < Probes; probe++)
                            AddMultiple(result[probe].AsSpan(head * d, d), row.AsSpan(projection.Starts[head], d), x[probe][input]);
                    }
                }
            }

            if (projection.Bias is null) return result;
            var bias = new MatrixView(checkpoint.Find(projection.Bias)!, 0);
            double[] added = new double[bias.Columns];
            Elements.Decode(bias.Dtype, bias.Row(0), added);
            for (int head = 0; head < projection.Starts.Length; head++)
            {
                for (int probe = 0; probe < Probes; probe++) AddMultiple(result[probe].AsSpan(head * d, d), added.AsSpan(projection.Starts[head], d), 1);
            }

            return result;
        }

        /// <summary>RoPE at a position, with the usual base: which frequencies a model uses does not matter, only which channels they pair.</summary>
        private void Rotate(ReadOnlySpan<double> channels, int position, double[] rotated)
        {
            channels.CopyTo(rotated);
            int pairs = layer.RotaryDims / 2;
            for (int pair = 0; pair < pairs; pair++)
            {
                var (first, second) = layout.RopePairs == RopePairs.Half ? (pair, pair + pairs) : (2 * pair, (2 * pair) + 1);
                double angle = position * Math.Pow(10000, -2.0 * pair / layer.RotaryDims);
                var (sin, cos) = Math.SinCos(angle);
                rotated[first] = (channels[first] * cos) - (channels[second] * sin);
                rotated[second] = (channels[second] * cos) + (channels[first] * sin);
            }
        }

        private double[][] Random(int length)
        {
            double[][] vectors = Zeros(length);
            foreach (double[] vector in vectors)
            {
                for (int i = 0; i < length; i++) vector[i] = ProbeGenerator.Normal(ref _state);
            }

            return vectors;
        }

        private static double[][] Zeros(int length) => [.. Enumerable.Range(0, Probes).Select(_ => new double[length])];

        private static double Relative(double squaredDifference, double squaredLength) =>
            squaredDifference == 0 ? 0 : Math.Sqrt(squaredDifference / squaredLength);

        private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
        {
            double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
            int i = 0;
            for (; i <= left.Length - 4; i += 4)
            {
                sum0 += left[i] * right[i];
                sum1 += left[i + 1] * right[i + 1];
                sum2 += left[i + 2] * right[i + 2];
                sum3 += left[i + 3] * right[i + 3];
            }

            for (; i < left.Length; i++) sum0 += left[i] * right[i];
            return sum0 + sum1 + (sum2 + sum3);
        }

        private static void AddMultiple(Span<double> target, ReadOnlySpan<double> source, double factor)
        {
            for (int i = 0; i < target.Length; i++) target[i] += factor * source[i];
        }
    }
}

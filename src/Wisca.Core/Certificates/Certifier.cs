using System.Text.Json;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>
/// Proves that two checkpoints are the same function without a forward pass. Attention uses W_q and W_k only through q.k, and W_v and
/// W_o only through W_o(h) W_v, so it is enough that each layer's two maps are the same and everything else is byte-identical.
/// <para>
/// What is compared: configurations but for keys that compute nothing; names, types and shapes of all tensors (not which shard holds
/// them); every byte outside the slices that an exchange may scale; inside them, that every row (column) is one multiple of the
/// reference's, element by element, that the multiples on the two sides cancel and that rotary pairs share one; and the two maps
/// themselves on random probes in float64, with RoPE at several positions. The element-wise part is no matter of chance: one element
/// off by more than about the tolerance (relative to itself) is found wherever it is, while probes alone, which see a whole head
/// at once, would overlook anything below tolerance times sqrt(hidden size times head_dim) standard deviations of the weights.
/// </para>
/// <para>
/// What is taken on trust: the architecture table. Which rows belong to which head, which channels RoPE pairs and that nothing stands
/// between projection and dot product are its claims, and a wrong table makes a wrong exchange and a certificate that approves it.
/// Against that stand the tests of the built-in tables, and a forward pass on real text. A table of the user's own deserves the latter.
/// Equivalences other than exchanges and rotations (permuted heads, say) are not recognised, and so are not certified.
/// </para>
/// <para>
/// Between rotated models (<see cref="CertificateReport.Rotation"/>) the rotation of the residual stream is found from the weights, and
/// every tensor on the stream is held against it element by element; heads may have another basis besides.
/// </para>
/// </summary>
public static class Certifier
{
    // Keys of config.json that say where a model comes from or how to store it, not what it computes.
    private static readonly string[] IgnoredKeys = ["_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"];

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
        differences.AddRange(TieDifferences(a, b));
        if (differences.Count > 0) return new CertificateReport([], [.. differences], 0, false);

        var kinship = Kinship.Of(a, b);
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
                if (!tensor.HasBytesOf(other))
                {
                    lock (changed) changed.Add(name);
                }

                progress?.Report(0.5 * Interlocked.Add(ref compared, tensor.Info.ByteLength) / total);
            },
            cancellation);

        var scaling = new ScalingCertifier(a, b, layout, kinship, changed);
        scaling.Certify(threads, cancellation);
        Workers.Run(
            [.. changed.Order(StringComparer.Ordinal).Where(name => !scaling.Explains(name))],
            threads,
            name =>
            {
                string? difference = scaling.Free(name) is { } free
                    ? OutsideDifference(a.Find(name)!, b.Find(name)!, free)
                    : $"tensor '{name}' differs";
                if (difference is null) return;
                lock (differences) differences.Add(difference);
            },
            cancellation);

        var rotations = new RotationCertifier(a, b, layout, RotationPlan.Create(layout), kinship);
        if (rotations.Suspected(changed) is { } stream && !(HasOldEmbeddings(stream) && scaling.Differences.Count == 0))
        {
            if (rotations.Certify(stream, changed, threads, cancellation) is { } report)
            {
                CheckUnchanged();
                progress?.Report(1);
                return report;
            }

            if (!HasOldEmbeddings(stream))
            {
                string embedding = stream.Slices.First(slice => slice.Role == SliceRole.Embedding).Tensor;
                differences.Remove($"tensor '{embedding}' differs");
                differences.Add($"tensor '{embedding}' is no rotation of the first's that most tensors agree with");
            }
        }

        differences.AddRange(scaling.Differences);
        var rotated = new List<string>();
        var layers = new LayerCertificate[layout.Layers.Length];
        Workers.Run(
            layout.Layers,
            threads,
            layer =>
            {
                var (certificate, found, heads) = new LayerProbe(a, layout, layer, changed, kinship, scaling, rotations, seed).Certify();
                layers[layer.Index] = certificate;
                lock (differences)
                {
                    differences.AddRange(found);
                    rotated.AddRange(heads);
                }

                progress?.Report(0.5 + (0.5 * Interlocked.Increment(ref probed) / layers.Length));
            },
            cancellation);
        CheckUnchanged();
        differences.Sort(StringComparer.Ordinal);
        return new CertificateReport([.. layers], [.. differences], changed.Count, kinship.PowersOfTwo)
        {
            Scaled = [.. scaling.Spaces],
            Rotation = rotated.Count == 0 ? null : new RotationCertificate([.. rotated.Order(StringComparer.Ordinal)], 0, 0, 0),
        };

        // Where embeddings are as they were, factors and no basis are what differs.
        bool HasOldEmbeddings(RotatedSpace stream) =>
            !stream.Slices.Any(slice => slice.Role == SliceRole.Embedding && changed.Contains(slice.Tensor));

        void CheckUnchanged()
        {
            foreach (var shard in a.Shards.Concat(b.Shards)) shard.CheckUnchanged();
        }
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
            else if (other.Dtype != tensor.Info.Dtype)
                yield return $"tensor '{tensor.Info.Name}' is {tensor.Info.Dtype} in the first and {other.Dtype} in the second";
            else if (!other.Shape.SequenceEqual(tensor.Info.Shape))
                yield return $"tensor '{tensor.Info.Name}' is {tensor.Info.ShapeText} in the first and {other.ShapeText} in the second";
        }

        foreach (var tensor in b.Tensors.Where(tensor => a.Find(tensor.Info.Name) is null))
            yield return $"tensor '{tensor.Info.Name}' is only in the second";
    }

    /// <summary>Tensors that a file does not store because they are the same as another, by its metadata:
    /// these must be the same ones.</summary>
    private static IEnumerable<string> TieDifferences(Checkpoint a, Checkpoint b)
    {
        var left = Ties(a);
        var right = Ties(b);
        foreach (string name in left.Keys.Union(right.Keys).Order(StringComparer.Ordinal))
        {
            if (left.GetValueOrDefault(name) != right.GetValueOrDefault(name))
                yield return $"metadata: '{name}' is tied to {left.GetValueOrDefault(name) ?? "nothing"} in the first and to "
                    + $"{right.GetValueOrDefault(name) ?? "nothing"} in the second";
        }

        static Dictionary<string, string> Ties(Checkpoint checkpoint)
        {
            var ties = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (name, tensor) in checkpoint.Shards.SelectMany(shard => shard.Header.Metadata)
                .Where(entry => checkpoint.Find(entry.Value) is not null))
                ties[name] = tensor;
            return ties;
        }
    }

    /// <summary>Says where two tensors differ outside the indices that may; null where they do not.</summary>
    private static string? OutsideDifference(StoredTensor a, StoredTensor b, FreeIndices allowed)
    {
        var left = new MatrixView(a, allowed.Axis);
        var right = new MatrixView(b, allowed.Axis);
        if (allowed.Indices.Count == left.Length * (left.ByRow ? 1 : allowed.Parts)) return null;
        int size = left.Dtype.Bits() / 8;
        using RowReader rowsA = new(left), rowsB = new(right);
        while (rowsA.Next() && rowsB.Next())
        {
            for (int index = 0; index < rowsA.Count; index++)
            {
                ReadOnlySpan<byte> rowA = rowsA.Row(index), rowB = rowsB.Row(index);
                int row = rowsA.First + index, part = row / (left.Rows / allowed.Parts) * left.Columns;
                if (rowA.SequenceEqual(rowB) || (left.ByRow && allowed.Indices.Contains(row))) continue;
                for (int column = 0; column < left.Columns; column++)
                {
                    if (!left.ByRow && allowed.Indices.Contains(part + column)) continue;
                    if (!rowA.Slice(column * size, size).SequenceEqual(rowB.Slice(column * size, size)))
                        return $"tensor '{a.Info.Name}' differs in {(left.ByRow ? "row" : "column")} {(left.ByRow ? row : column)}, which "
                            + "no exact transition scales";
                }
            }
        }

        return null;
    }
}

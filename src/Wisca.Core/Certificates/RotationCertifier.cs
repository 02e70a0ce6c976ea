using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>Certifies two models between which the residual stream is turned.</summary>
/// <param name="a">The reference.</param>
/// <param name="b">The other.</param>
/// <param name="layout">Both models' layout.</param>
/// <param name="plan">What may be rotated in them.</param>
/// <param name="kinship">What the ledgers say of the two.</param>
internal sealed class RotationCertifier(Checkpoint a, Checkpoint b, ModelLayout layout, RotationPlan plan, Kinship kinship)
{
    private readonly HashSet<string> _inHeads =
        [
            .. layout.Layers.SelectMany(layer => (Projection[])[layer.Query, layer.Key, layer.Value, layer.Output])
                .SelectMany(projection => (string?[])[projection.Weight, projection.Bias]).OfType<string>(),
        ];

    /// <summary>The stream, where more of what lies on it differs than exchanges could explain; null where it is not turned.</summary>
    /// <param name="changed">The tensors whose bytes differ.</param>
    public RotatedSpace? Suspected(HashSet<string> changed)
    {
        if (kinship.PowersOfTwo || plan.Spaces.FirstOrDefault(space => space.Kind == RotationKind.Stream) is not { } stream) return null;
        var tensors = StreamComparison.Tensors(stream);
        if (!tensors.All(name => a.Find(name)?.Info.Dtype.IsRescalable() == true)) return null;
        tensors.ExceptWith(_inHeads);
        return 2 * tensors.Count(changed.Contains) > tensors.Count ? stream : null;
    }

    /// <summary>The certificate; null, with the name of what tells so, where no rotation lies between the two.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="changed">The tensors whose bytes differ.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="cancellation">Stops it.</param>
    public CertificateReport? Certify(RotatedSpace stream, HashSet<string> changed, int threads, CancellationToken cancellation)
    {
        var exchanges = new MapExchanges(layout);

        // Where embeddings are as they were, factors alone are what differs, and these are told elsewhere.
        bool turned = stream.Slices.Any(slice => slice.Role == SliceRole.Embedding && changed.Contains(slice.Tensor));
        var mlps = turned
            ? layout.Layers.SelectMany(layer => exchanges.OfMlps(layer.Index, Granularity.Channel, _ => { }))
            : [];
        var comparison = new StreamComparison(a, b, stream, kinship, _inHeads, mlps, threads, cancellation);
        if (comparison.Find() is not var (basis, findings)) return null;
        var onStream = StreamComparison.Tensors(stream);
        var byTensor = findings.ToDictionary(finding => finding.Tensor, StringComparer.Ordinal);
        var differences = new List<string>();

        // What is on no side of the stream may still be attention's: biases of queries, keys and values.
        foreach (string name in changed.Where(name => !onStream.Contains(name)))
        {
            string line = $"tensor '{name}' differs";
            if (!_inHeads.Contains(name))
            {
                if (!IsScaledBias(name)) differences.Add(line);
            }
            else byTensor[name] = OfBias(name, line);
        }

        var spaces = new List<string> { stream.Name };
        var explained = new HashSet<string>(StringComparer.Ordinal);
        Workers.Run(
            [.. layout.Layers],
            threads,
            layer =>
            {
                // The error of the rotation is the same in both sides of a head, and so adds up.
                double spread = 1 + (2 * (basis.Spread - 1));
                var (turned, lines, names) = OfHeads(
                    layer, byTensor, name => onStream.Contains(name) ? comparison.Turned(name, basis) : Stored(name), spread);
                lock (differences)
                {
                    spaces.AddRange(turned);
                    differences.AddRange(lines);
                    explained.UnionWith(names);
                }
            },
            cancellation);
        differences.AddRange(
            byTensor.Values.Where(finding => finding.Difference is not null && !explained.Contains(finding.Tensor))
                .Select(finding => finding.Difference!));
        differences.Sort(StringComparer.Ordinal);
        var told = findings.Where(finding => !explained.Contains(finding.Tensor)).ToList();
        return new CertificateReport([], [.. differences], changed.Count, false)
        {
            Scaled = [.. comparison.Hidden.Spaces.Order(StringComparer.Ordinal)],
            Rotation = new RotationCertificate(
                [.. spaces.Order(StringComparer.Ordinal)],
                findings.Count,
                told.Aggregate(0.0, (worst, finding) => Math.Max(worst, finding.Error)),
                told.Aggregate(0.0, (worst, finding) => Math.Max(worst, finding.Tolerance))),
        };

        bool IsScaledBias(string name)
        {
            if (a.Find(name)!.Info is not { Shape.Length: 1 or 2 } info || !info.Dtype.IsRescalable()) return false;
            var (before, after) = Stored(name);
            return comparison.Hidden.Explains(name, before, after, RotationNoise.Of(info.Dtype, kinship));
        }
    }

    /// <summary>Whether a change of basis of a layer's heads explains all that differs there, the stream being the same.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="kind">Values and output, or queries and keys.</param>
    /// <returns>The heads whose channels mix; empty where exchanges are all that could explain it.</returns>
    public ImmutableArray<string> Mixed(AttentionLayer layer, TransitionKind kind)
    {
        var comparison = new HeadComparison(layout, plan, layer, kinship, Stored, name => a.Find(name)!);
        if (kinship.PowersOfTwo || !comparison.MayMix(kind)) return [];
        var mixed = ImmutableArray.CreateBuilder<string>();
        for (int kvHead = 0; kvHead < layout.KvHeads; kvHead++)
        {
            if (comparison.Compare(kind, kvHead, out bool mixes) is not null) return [];
            if (mixes) mixed.Add(HeadComparison.Space(layer, kind, kvHead));
        }

        return mixed.ToImmutable();
    }

    /// <summary>Which of a layer's heads have another basis, what no basis explains, and the tensors of which that tells all.</summary>
    private (List<string> Spaces, List<string> Differences, HashSet<string> Explained) OfHeads(
        AttentionLayer layer, Dictionary<string, StreamFinding> findings,
        Func<string, (double[] Expected, double[] Actual)> values, double spread)
    {
        var spaces = new List<string>();
        var lines = new Dictionary<string, string>(StringComparer.Ordinal);
        var explained = new HashSet<string>(StringComparer.Ordinal);
        var comparison = new HeadComparison(layout, plan, layer, kinship, values, name => a.Find(name)!, spread);
        var left = new Dictionary<string, (HashSet<int> Rows, HashSet<int> Columns)>(StringComparer.Ordinal);
        foreach (var kind in (TransitionKind[])[TransitionKind.ValueOutput, TransitionKind.QueryKey])
        {
            if (!comparison.Allows(kind)) continue;
            for (int kvHead = 0; kvHead < layout.KvHeads; kvHead++)
            {
                var slices = comparison.Slices(kind, kvHead).ToList();
                if (!slices.Any(slice => IsOff(slice, layout.Geometry.DimOf(kind)))) continue;
                if (comparison.Compare(kind, kvHead, out _) is { } wrong) lines.TryAdd(wrong.Tensor, wrong.Difference);
                else spaces.Add(HeadComparison.Space(layer, kind, kvHead));
                foreach (var slice in slices) Remaining(slice).ExceptWith(Enumerable.Range(slice.Start, layout.Geometry.DimOf(kind)));
            }
        }

        foreach (var (tensor, (rows, columns)) in left)
        {
            if (findings.GetValueOrDefault(tensor)?.Rows.Count > 0 && (rows.Count == 0 || columns.Count == 0)) explained.Add(tensor);
        }

        return (spaces, [.. lines.Values], explained);

        bool IsOff((string Tensor, int Axis, int Start) slice, int count) =>
            findings.ContainsKey(slice.Tensor)
            && Remaining(slice).Any(index => index >= slice.Start && index < slice.Start + count);

        HashSet<int> Remaining((string Tensor, int Axis, int Start) slice)
        {
            if (!left.TryGetValue(slice.Tensor, out var sets))
            {
                var finding = findings.GetValueOrDefault(slice.Tensor);
                left.Add(slice.Tensor, sets = ([.. finding?.Rows ?? []], [.. finding?.Columns ?? []]));
            }

            return slice.Axis == 0 ? sets.Rows : sets.Columns;
        }
    }

    private StreamFinding OfBias(string name, string line)
    {
        var (x, y) = Stored(name);
        HashSet<int> off = [.. Enumerable.Range(0, x.Length).Where(i => x[i] != y[i])];
        return new StreamFinding(name, 0, 0, off.Count == 0 ? null : line, off, [0]);
    }

    private (double[] Expected, double[] Actual) Stored(string name) => (new TurnPlan(a).All(name), new TurnPlan(b).All(name));
}

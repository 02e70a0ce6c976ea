using System.Globalization;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rotations;

namespace Wisca.Certificates;

/// <summary>
/// Holds the heads of a layer against any change of basis that attention does not see: values V' = G V with output columns O' = O G^-1,
/// and keys K' = G K with queries Q' = G^-T Q where G commutes with RoPE (a scaled turn of each pair of channels). G, [d, d], is found from
/// V and V' (K and K') by least squares, and every element is then held against it. Rotations are of this kind, scalings, and what they
/// compose to.
/// </summary>
/// <param name="layout">The models' layout.</param>
/// <param name="plan">What may be rotated in them.</param>
/// <param name="layer">The layer.</param>
/// <param name="kinship">What the ledgers say of the two.</param>
/// <param name="values">A tensor of the reference as it should be but for the heads' bases, and the second's.</param>
/// <param name="find">Finds a tensor of the reference.</param>
/// <param name="spread">What the variance of the roundings is multiplied by because the reference was turned.</param>
internal sealed class HeadComparison(
    ModelLayout layout,
    RotationPlan plan,
    AttentionLayer layer,
    Kinship kinship,
    Func<string, (double[] Expected, double[] Actual)> values,
    Func<string, StoredTensor> find,
    double spread = 1)
{
    private readonly Dictionary<string, (double[] Expected, double[] Actual)> _values = new(StringComparer.Ordinal);
    private int _channels;

    /// <summary>The name of the space of a kv head, as plans have it.</summary>
    public static string Space(AttentionLayer layer, TransitionKind kind, int kvHead) =>
        $"layers.{layer.Index}.{Kind(kind).Name()}.{kvHead}";

    private static RotationKind Kind(TransitionKind kind) =>
        kind == TransitionKind.ValueOutput ? RotationKind.ValueOutput : RotationKind.QueryKey;

    /// <summary>True where an exchange of the kind is exact in the layer.</summary>
    public bool Allows(TransitionKind kind) => !layer.Refusals.ContainsKey(kind);

    /// <summary>True where channels may mix: the kv head has a basis of its own, or RoPE turns pairs.</summary>
    public bool MayMix(TransitionKind kind) => kind == TransitionKind.QueryKey ? layer.RotaryDims > 0 || IsFree(kind) : IsFree(kind);

    /// <summary>The slices of a kv head: what it has of its own, and what the query heads that share it have.</summary>
    public IEnumerable<(string Tensor, int Axis, int Start)> Slices(TransitionKind kind, int kvHead)
    {
        var (shared, own) = Projections(kind);
        foreach (var slice in Of(shared, kvHead)) yield return slice;
        for (int head = kvHead * Sharing; head < (kvHead + 1) * Sharing; head++)
        {
            foreach (var slice in Of(own, head)) yield return slice;
        }
    }

    /// <summary>Compares a kv head and the query heads that share it.</summary>
    /// <param name="kind">Values and output, or queries and keys.</param>
    /// <param name="kvHead">The head.</param>
    /// <param name="mixes">True where G is more than a factor for each channel.</param>
    /// <returns>The tensor that no G explains, and how; null where one explains all.</returns>
    public (string Tensor, string Difference)? Compare(TransitionKind kind, int kvHead, out bool mixes)
    {
        mixes = false;
        int d = _channels = layout.Geometry.DimOf(kind);
        var (shared, own) = Projections(kind);
        var (x, y) = Fibres(shared, kvHead);
        var noise = Noise(shared);
        int count = x.Length / d;
        double[] square = new double[d * d], product = new double[d * d], basis = new double[d * d];
        double[] transposed = FibreView.Transposed(x, count, d);
        MatrixProduct.Add(transposed, x, square, d, count, d);
        MatrixProduct.Add(transposed, y, product, d, count, d);

        // Rows x of V^T become x H with H = G^T.
        const string dependent = "has linearly dependent channels, so that its change of basis cannot be told";
        if (PolarFactor.Inverse(square, d) is not { } covariance) return (shared.Weight, Line(shared.Weight, dependent));
        MatrixProduct.Add(covariance, product, basis, d, d, d);
        if (PolarFactor.Inverse(basis, d) is not { } inverse) return (shared.Weight, Line(shared.Weight, dependent));
        double[] sizes = Sizes(y, d, count), before = Sizes(x, d, count);
        if (Misfit() is { } misfit) return (shared.Weight, Line(shared.Weight, misfit));
        for (int i = 0; i < d * d; i++) mixes |= i / d != i % d && Math.Abs(basis[i]) * before[i / d] > 0.01 * sizes[i % d];

        double[] expected = new double[x.Length];
        MatrixProduct.Add(x, basis, expected, count, d, d);
        if (Off(shared, kvHead, expected, y, noise, (_, channel) => noise.Deviation * sizes[channel], 0) is { } wrong) return wrong;

        // Rows o of W_o, and of W_q^T, become o G^-1 = o (H^-1)^T. An error E of H makes o' E^T H^-T of it.
        double[] back = FibreView.Transposed(inverse, d, d), half = new double[d * d], variances = new double[d];
        MatrixProduct.Add(inverse, covariance, half, d, d, d);
        for (int i = 0; i < d; i++)
        {
            for (int k = 0; k < d; k++) variances[i] += half[(i * d) + k] * inverse[(i * d) + k];
        }

        for (int head = kvHead * Sharing; head < (kvHead + 1) * Sharing; head++)
        {
            var (from, to) = Fibres(own, head);
            var ownNoise = Noise(own);
            double[] become = new double[from.Length];
            MatrixProduct.Add(from, back, become, from.Length / d, d, d);
            if (Off(own, head, become, to, ownNoise, Deviation, 1.0 / count) is { } found) return found;

            double Deviation(double[] row, int channel)
            {
                double mean = 0, weighted = 0;
                for (int i = 0; i < d; i++)
                {
                    mean += row[i] * row[i] / d;
                    weighted += row[i] * row[i] * sizes[i] * sizes[i];
                }

                return Math.Sqrt(
                    (ownNoise.Deviation * ownNoise.Deviation * mean)
                    + (noise.Deviation * noise.Deviation * weighted * Math.Abs(variances[channel])));
            }
        }

        return null;

        string? Misfit()
        {
            for (int row = 0; row < d; row++)
            {
                for (int column = 0; column < d; column++)
                {
                    double deviation = noise.Deviation * Math.Sqrt(2 * Math.Abs(covariance[row * (d + 1)])) * sizes[column];
                    double value = basis[(row * d) + column];
                    if (kind == TransitionKind.QueryKey && Partner(row) is { } partner && (column == row || column == partner))
                    {
                        // Of a pair the elements are a, b and -b, a.
                        double other = column == row ? basis[partner * (d + 1)] : -basis[(partner * d) + row];
                        double least = noise.Deviation * Math.Sqrt(2 * Math.Abs(covariance[partner * (d + 1)]))
                            * sizes[column == row ? partner : row];
                        if (Math.Abs(value - other) > RotationNoise.Deviations * (deviation + least))
                            return $"changes channels {Math.Min(row, partner)} and {Math.Max(row, partner)}, which RoPE rotates together, "
                                + "otherwise than by a turn and one factor";
                        continue;
                    }

                    bool free = row == column
                        || (IsFree(kind) && (kind == TransitionKind.ValueOutput
                            || (row >= layer.RotaryDims && column >= layer.RotaryDims)));
                    if (!free && Math.Abs(value) > RotationNoise.Deviations * deviation)
                        return $"mixes channels {row} and {column}, which attention tells apart";
                }
            }

            return null;
        }

        string Line(string tensor, string what) =>
            $"layer {layer.Index}: kv head {kvHead} of tensor '{tensor}' {what}";
    }

    private RotationNoise Noise(Projection projection) =>
        RotationNoise.Of(find(projection.Weight).Info.Dtype, kinship) with { Spread = spread };

    private int Sharing => layout.Heads / layout.KvHeads;

    private (Projection Shared, Projection Own) Projections(TransitionKind kind) =>
        kind == TransitionKind.ValueOutput ? (layer.Value, layer.Output) : (layer.Key, layer.Query);

    private bool IsFree(TransitionKind kind)
    {
        string first = Space(layer, kind, 0);
        return plan.Spaces.Any(space => space.Name == first);
    }

    private int? Partner(int channel)
    {
        int pairs = layer.RotaryDims / 2;
        if (channel >= layer.RotaryDims) return null;
        return layout.RopePairs switch
        {
            RopePairs.Half => channel < pairs ? channel + pairs : channel - pairs,
            RopePairs.Interleaved => channel ^ 1,
            _ => null,
        };
    }

    private static IEnumerable<(string Tensor, int Axis, int Start)> Of(Projection projection, int head)
    {
        yield return (projection.Weight, projection.Axis, projection.Starts[head]);
        if (projection.Bias is { } bias) yield return (bias, 0, projection.Starts[head]);
    }

    /// <summary>The first element that is not what it should be, or a head that is a multiple of it.</summary>
    private (string Tensor, string Difference)? Off(
        Projection projection, int head, double[] expected, double[] actual, RotationNoise noise, Func<double[], int, double> deviation,
        double variance)
    {
        int d = _channels;
        double squares = 0, products = 0, fourths = 0;
        double[] row = new double[d];
        for (int index = 0; index < expected.Length / d; index++)
        {
            expected.AsSpan(index * d, d).CopyTo(row);
            double square = row.Sum(value => value * value), typical = noise.Deviation * Math.Sqrt(square / d);
            for (int channel = 0; channel < d; channel++)
            {
                double x = row[channel], y = actual[(index * d) + channel];
                squares += x * x;
                products += x * y;
                fourths += x * x * ((x * x) + (square / d));
                double allowed = noise.Allowed(x, 1, Math.Max(deviation(row, channel), typical));
                if (Math.Abs(y - x) <= allowed) continue;
                bool bias = projection.Bias is not null && index == (expected.Length / d) - 1;
                string tensor = bias ? projection.Bias! : projection.Weight;
                string place = bias ? $"[{projection.Starts[head] + channel}]"
                    : projection.Axis == 0 ? $"[{projection.Starts[head] + channel}, {index}]"
                    : $"[{index}, {projection.Starts[head] + channel}]";
                return (
                    tensor,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"layer {layer.Index}: tensor '{tensor}' at {place} is no change of basis of its head: it is {y:G6} where {x:G6} "
                        + $"is expected, allowed is a difference of {allowed:G3}"));
            }
        }

        if (squares == 0) return null;
        double drift = (products / squares) - 1;
        double most = noise.AllowedDrift(find(projection.Weight).Info.Dtype, (fourths / (squares * squares)) + variance);
        return Math.Abs(drift) <= most ? null
            : (projection.Weight, string.Create(
                CultureInfo.InvariantCulture,
                $"layer {layer.Index}: head {head} of tensor '{projection.Weight}' is {1 + drift:0.0000000} times what its kv head's "
                + $"change of basis makes of it, and rounding explains a difference from 1 of {most:0.0e+00}"));
    }

    /// <summary>The rows along the head's channels, the bias as one more.</summary>
    private (double[] Expected, double[] Actual) Fibres(Projection projection, int head)
    {
        var (expected, actual) = Part(projection.Weight, projection.Axis, projection.Starts[head]);
        if (projection.Bias is not { } bias) return (expected, actual);
        var (left, right) = Part(bias, 0, projection.Starts[head]);
        return ([.. expected, .. left], [.. actual, .. right]);
    }

    private (double[] Expected, double[] Actual) Part(string tensor, int axis, int start)
    {
        if (!_values.TryGetValue(tensor, out var both)) _values.Add(tensor, both = values(tensor));
        var shape = find(tensor).Info.Shape;
        int d = _channels, length = (int)shape[axis], inner = shape.Length > axis + 1 ? (int)shape[axis + 1] : 1;
        return (Cut(both.Expected), Cut(both.Actual));

        double[] Cut(double[] all)
        {
            if (inner > 1) return FibreView.Transposed(all.AsSpan(start * inner, d * inner), d, inner);
            int outer = all.Length / length;
            double[] rows = new double[outer * d];
            for (int row = 0; row < outer; row++) all.AsSpan((row * length) + start, d).CopyTo(rows.AsSpan(row * d));
            return rows;
        }
    }

    /// <summary>The root mean square of each channel.</summary>
    private static double[] Sizes(double[] rows, int d, int count)
    {
        double[] sizes = new double[d];
        for (int i = 0; i < rows.Length; i++) sizes[i % d] += rows[i] * rows[i] / count;
        return Array.ConvertAll(sizes, Math.Sqrt);
    }
}

using System.Globalization;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>Compares one layer's two maps in two models: channel by channel through their factors, and whole on random probes.</summary>
/// <param name="a">The reference.</param>
/// <param name="layout">Both models' layout.</param>
/// <param name="layer">The layer.</param>
/// <param name="changed">The tensors whose bytes differ.</param>
/// <param name="kinship">What the ledgers say of the two.</param>
/// <param name="scaling">The other's tensors, without the factors of norms.</param>
/// <param name="rotations">Looks for heads in another basis.</param>
/// <param name="seed">Seed of the probes.</param>
internal sealed class LayerProbe(
    Checkpoint a, ModelLayout layout, AttentionLayer layer, HashSet<string> changed, Kinship kinship, ScalingCertifier scaling,
    RotationCertifier rotations, ulong seed)
{
    private const int Probes = 4;

    // (query position, key position): the same place, near and far apart, both ways.
    private static readonly (int Query, int Key)[] Positions = [(0, 0), (7, 2), (3, 50), (1023, 511)];

    private ulong _state = seed ^ (0x5DEE_CE66_DUL * (ulong)(layer.Index + 1));

    /// <summary>The layer's errors, and what its channels have in the way of an exchange.</summary>
    public (LayerCertificate Certificate, IEnumerable<string> Differences, IEnumerable<string> Rotated) Certify()
    {
        List<string> differences = [], rotated = [];
        double? queryKey = Certify(TransitionKind.QueryKey, layer.Query, layer.Key, QueryKeyError);
        double? valueOutput = Certify(TransitionKind.ValueOutput, layer.Value, layer.Output, ValueOutputError);
        return (
            new LayerCertificate(layer.Index, queryKey, valueOutput, Tolerance(layer.Query, layer.Key, layer.Value, layer.Output)),
            differences, rotated);

        double? Certify(TransitionKind kind, Projection multiplied, Projection divided, Func<double> error)
        {
            if (layer.Refusals.ContainsKey(kind)) return null;
            if (!Changed(multiplied) && !Changed(divided)) return 0;
            List<string> found = [.. ChannelDifferences(kind, multiplied, divided)];
            if (found.Count > 0 && rotations.Mixed(layer, kind) is { IsEmpty: false } mixed) rotated.AddRange(mixed);
            else differences.AddRange(found);
            return error();
        }
    }

    /// <summary>
    /// Where the channels of two projections have not exchanged one factor each: a row (column) that is not a multiple of the reference's,
    /// two factors that do not cancel, or two channels that RoPE rotates together with different factors. At most one of each.
    /// </summary>
    private IEnumerable<string> ChannelDifferences(TransitionKind kind, Projection multiplied, Projection divided)
    {
        int d = layout.Geometry.DimOf(kind);
        ChannelFactors left = Factors(multiplied, d), right = Factors(divided, d);
        foreach (string difference in left.Differences.Concat(right.Differences)) yield return difference;
        if (left.Differences.Length + right.Differences.Length > 0) yield break;

        double tolerance = Tolerance(multiplied, divided);
        string pair = kind == TransitionKind.QueryKey ? "q.k" : "V-O";
        string? uncancelled = null, unpaired = null;
        for (int head = 0; head < layout.Heads; head++)
        {
            int kvHead = head / (layout.Heads / layout.KvHeads);
            for (int channel = 0; channel < d; channel++)
            {
                // Query heads (and the output's) are as many as there are heads, key heads and value heads as there are kv heads.
                double x = left.Of(kind == TransitionKind.QueryKey ? head : kvHead, channel);
                double y = right.Of(kind == TransitionKind.QueryKey ? kvHead : head, channel);
                if (uncancelled is null && Math.Abs((x * y) - 1) > tolerance)
                    uncancelled = $"layer {layer.Index}: the {pair} factors of head {head}, channel {channel} do not cancel: {x:R} x {y:R}";
                if (unpaired is not null || kind != TransitionKind.QueryKey || Partner(channel) is not { } partner) continue;
                double z = left.Of(head, partner);
                if (Math.Abs((z / x) - 1) > tolerance)
                    unpaired =
                        $"layer {layer.Index}: RoPE rotates channels {channel} and {partner} of head {head} together, but their factors "
                        + $"are {x:R} and {z:R}";
            }
        }

        if (uncancelled is not null) yield return uncancelled;
        else if (Drift(kind, multiplied, divided, left, right) is { } drift) yield return drift;
        if (unpaired is not null) yield return unpaired;
    }

    /// <summary>
    /// Says where the factors of a kv head, or of the layer, do not cancel in the mean to the precision with which many elements tell
    /// them: a fault that no element shows. Null where they do, or where factors that cancel may explain every element.
    /// </summary>
    private string? Drift(
        TransitionKind kind, Projection multiplied, Projection divided, ChannelFactors left, ChannelFactors right)
    {
        if (kinship.PowersOfTwo) return null;
        var coarser = new[] { multiplied, divided }.Select(projection => a.Find(projection.Weight)!.Info.Dtype)
            .MinBy(dtype => dtype.SignificandBits());
        int sharing = layout.Heads / layout.KvHeads;
        bool queryKey = kind == TransitionKind.QueryKey;
        ChannelFactors shared = queryKey ? right : left, own = queryKey ? left : right;
        var whole = new FactorMean();
        (double[] Low, double[] High)? sharedBounds = null, ownBounds = null;
        for (int kvHead = 0; kvHead < layout.KvHeads; kvHead++)
        {
            var mean = Mean(kvHead);
            whole = whole.With(mean);
            if (Off(mean) && Off(mean, [kvHead])) return Line($"kv head {kvHead}", mean);
        }

        return Off(whole) && Off(whole, Enumerable.Range(0, layout.KvHeads)) ? Line("all heads", whole) : null;

        bool Off(FactorMean mean, IEnumerable<int>? heads = null)
        {
            if (mean.Channels == 0) return false;
            double tolerance = kinship.FactorTolerance(coarser, mean.Variance);
            if (heads is null) return !(Math.Abs(mean.Product - 1) <= tolerance);

            // Read once more, and only where something looks wrong.
            sharedBounds ??= shared.Bounds(layout.Geometry.DimOf(kind), kinship.FactorRoundings);
            ownBounds ??= own.Bounds(layout.Geometry.DimOf(kind), kinship.FactorRoundings);
            double low = 0, high = 0;
            foreach (int kvHead in heads)
            {
                foreach (var (head, channel) in Channels(kvHead))
                {
                    int i = shared.IndexOf(kvHead, channel), j = own.IndexOf(head, channel);
                    low += (sharedBounds.Value.Low[i] * ownBounds.Value.Low[j]) - 1;
                    high += (sharedBounds.Value.High[i] * ownBounds.Value.High[j]) - 1;
                }
            }

            return !(low / mean.Channels <= tolerance && high / mean.Channels >= -tolerance);
        }

        // The factor of a kv head's channel is one number in all the products of the heads that share it.
        FactorMean Mean(int kvHead)
        {
            double sum = 0, variance = 0;
            int count = 0;
            double[] weights = new double[layout.Geometry.DimOf(kind)];
            foreach (var (head, channel) in Channels(kvHead))
            {
                sum += (shared.Of(kvHead, channel) * own.Of(head, channel)) - 1;
                variance += own.VarianceOf(head, channel);
                weights[channel]++;
                count++;
            }

            for (int channel = 0; channel < weights.Length; channel++)
            {
                if (weights[channel] > 0) variance += weights[channel] * weights[channel] * shared.VarianceOf(kvHead, channel);
            }

            return new FactorMean(sum, variance, count);
        }

        IEnumerable<(int Head, int Channel)> Channels(int kvHead) =>
            from head in Enumerable.Range(kvHead * sharing, sharing)
            from channel in Enumerable.Range(0, layout.Geometry.DimOf(kind))
            where double.IsFinite(shared.Of(kvHead, channel) * own.Of(head, channel))
                && shared.Of(kvHead, channel) * own.Of(head, channel) != 0
            select (head, channel);

        string Line(string where, FactorMean mean) => string.Create(
            CultureInfo.InvariantCulture,
            $"layer {layer.Index}: the {(queryKey ? "q.k" : "V-O")} factors of {where} do not cancel: their product is "
            + $"{mean.Product:0.000000} in the mean of {mean.Channels} channels, and rounding explains a difference from 1 of "
            + $"{kinship.FactorTolerance(coarser, mean.Variance):0.0e+00}");
    }

    /// <summary>Products of factors that should be 1, added up.</summary>
    /// <param name="Sum">Of the products less 1.</param>
    /// <param name="SumVariance">That sum's variance by one rounding of every element.</param>
    /// <param name="Channels">How many.</param>
    private readonly record struct FactorMean(double Sum, double SumVariance, int Channels)
    {
        public double Product => 1 + (Sum / Channels);

        public double Variance => SumVariance / ((double)Channels * Channels);

        public FactorMean With(FactorMean other) =>
            new(Sum + other.Sum, SumVariance + other.SumVariance, Channels + other.Channels);
    }

    /// <summary>The second channel of the rotary pair whose first this is.</summary>
    private int? Partner(int channel)
    {
        int pairs = layer.RotaryDims / 2;
        return layout.RopePairs switch
        {
            RopePairs.Half when channel < pairs => channel + pairs,
            RopePairs.Interleaved when channel < layer.RotaryDims && channel % 2 == 0 => channel + 1,
            _ => null,
        };
    }

    /// <summary>The largest error that rounding the coarsest of some projections explains.</summary>
    private double Tolerance(params ReadOnlySpan<Projection> projections)
    {
        double tolerance = 0;
        foreach (var projection in projections)
        {
            if (a.Find(projection.Weight)?.Info.Dtype is { } dtype && dtype.IsRescalable())
                tolerance = Math.Max(tolerance, kinship.Tolerance(dtype));
        }

        return tolerance;
    }

    private double QueryKeyError()
    {
        double[][] x = Random(Inputs(layer.Query)), y = Random(Inputs(layer.Key));
        int d = layout.HeadDim, sharing = layout.Heads / layout.KvHeads;
        double[][] queriesA = Project(layer.Query, d, x, other: false), queriesB = Project(layer.Query, d, x, other: true);
        double[][] keysA = Project(layer.Key, d, y, other: false), keysB = Project(layer.Key, d, y, other: true);
        double[] query = new double[d], key = new double[d];
        double worst = 0;
        for (int head = 0; head < layout.Heads; head++)
        {
            double difference = 0, length = 0;
            for (int probe = 0; probe < Probes; probe++)
            {
                foreach (var (queryPosition, keyPosition) in Positions)
                {
                    double zB = Form(queriesB[probe], keysB[probe]), zA = Form(queriesA[probe], keysA[probe]);
                    difference += (zA - zB) * (zA - zB);
                    for (int channel = 0; channel < d; channel++) length += query[channel] * key[channel] * query[channel] * key[channel];

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
        double[][] x = Random(Inputs(layer.Value));
        int d = layout.ValueDim, sharing = layout.Heads / layout.KvHeads;
        double[][] valuesA = Project(layer.Value, d, x, other: false), valuesB = Project(layer.Value, d, x, other: true);
        double[] differences = new double[layout.Heads], lengths = new double[layout.Heads];
        var output = scaling.Pair(layer.Output.Weight);
        MatrixView left = output.Left(layer.Output.Axis), right = output.Right(layer.Output.Axis);
        double[] rowA = new double[left.Columns], rowB = new double[left.Columns];
        using RowReader readerA = new(left), readerB = new(right);
        if (!left.ByRow)
        {
            // A row is one output: it meets every head's values in that head's columns.
            for (int row = 0; row < left.Rows; row++)
            {
                readerA.Decode(row, rowA);
                readerB.Decode(row, rowB);
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
                    readerA.Decode(layer.Output.Starts[head] + channel, rowA);
                    readerB.Decode(layer.Output.Starts[head] + channel, rowB);
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

        double worst = 0;
        for (int head = 0; head < layout.Heads; head++) worst = Math.Max(worst, Relative(differences[head], lengths[head]));
        return worst;
    }

    private ChannelFactors Factors(Projection projection, int d) =>
        ChannelFactors.Between(
            scaling.Pair(projection.Weight), projection.Bias is { } bias ? scaling.Pair(bias) : null, projection, d, kinship);

    private bool Changed(Projection projection) =>
        changed.Contains(projection.Weight) || (projection.Bias is { } bias && changed.Contains(bias));

    /// <summary>How many numbers a projection reads.</summary>
    private int Inputs(Projection projection) => (int)a.Find(projection.Weight)!.Info.Shape[1 - projection.Axis];

    /// <summary>W x + b for each probe, head after head.</summary>
    private double[][] Project(Projection projection, int d, double[][] x, bool other)
    {
        double[][] result = Zeros(projection.Starts.Length * d);
        var pair = scaling.Pair(projection.Weight);
        var matrix = other ? pair.Right(projection.Axis) : pair.Left(projection.Axis);
        double[] row = new double[matrix.Columns];
        using var reader = new RowReader(matrix);
        if (matrix.ByRow)
        {
            for (int head = 0; head < projection.Starts.Length; head++)
            {
                for (int channel = 0; channel < d; channel++)
                {
                    reader.Decode(projection.Starts[head] + channel, row);
                    for (int probe = 0; probe < Probes; probe++) result[probe][(head * d) + channel] = Dot(row, x[probe]);
                }
            }
        }
        else
        {
            for (int input = 0; input < matrix.Rows; input++)
            {
                reader.Decode(input, row);
                for (int head = 0; head < projection.Starts.Length; head++)
                {
                    for (int probe = 0; probe < Probes; probe++)
                        AddMultiple(result[probe].AsSpan(head * d, d), row.AsSpan(projection.Starts[head], d), x[probe][input]);
                }
            }
        }

        if (projection.Bias is null) return result;
        var ofBias = scaling.Pair(projection.Bias);
        var bias = other ? ofBias.Right(0) : ofBias.Left(0);
        double[] added = new double[bias.Columns];
        bias.Decode(0, added);
        for (int head = 0; head < projection.Starts.Length; head++)
        {
            for (int probe = 0; probe < Probes; probe++)
                AddMultiple(result[probe].AsSpan(head * d, d), added.AsSpan(projection.Starts[head], d), 1);
        }

        return result;
    }

    /// <summary>
    /// RoPE at a position. Which frequencies a model uses does not matter, only which channels they pair: these make every pair turn by
    /// an angle of its own between all positions, so that none looks as if it stood still.
    /// </summary>
    private void Rotate(ReadOnlySpan<double> channels, int position, double[] rotated)
    {
        channels.CopyTo(rotated);
        for (int first = 0; first < layer.RotaryDims; first++)
        {
            if (Partner(first) is not { } second) continue;
            double angle = position * Math.Pow(10, -(double)first / layer.RotaryDims);
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

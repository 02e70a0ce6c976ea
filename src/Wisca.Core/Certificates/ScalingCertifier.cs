using System.Collections.Immutable;
using System.Globalization;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Certificates;

/// <summary>
/// Certifies what is scaled beside attention: gains of norms against all that reads behind them, hidden channels of MLPs, gains of queries
/// and keys. The factors are found from the weights alone, and every element is held against them. What a gain explains of its readers is
/// taken back where others look at these (<see cref="Pair"/>), so that rows that an exchange scales are seen as if no norm had moved.
/// </summary>
internal sealed class ScalingCertifier
{
    private readonly Checkpoint _a, _b;
    private readonly Kinship _kinship;
    private readonly HashSet<string> _changed;
    private readonly ImmutableArray<Exchange> _norms, _hidden, _headNorms;
    private readonly Dictionary<string, FreeIndices> _free = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AxisFactors> _seen = new(StringComparer.Ordinal);
    private readonly HashSet<string> _explained = new(StringComparer.Ordinal);
    private readonly List<string> _differences = [], _spaces = [];

    /// <param name="a">The reference.</param>
    /// <param name="b">The other.</param>
    /// <param name="layout">Both models' layout.</param>
    /// <param name="kinship">What the ledgers say of the two.</param>
    /// <param name="changed">The tensors whose bytes differ.</param>
    public ScalingCertifier(Checkpoint a, Checkpoint b, ModelLayout layout, Kinship kinship, HashSet<string> changed)
    {
        (_a, _b, _kinship, _changed) = (a, b, kinship, changed);
        var map = new MapExchanges(layout);
        _hidden = [.. layout.Layers.SelectMany(layer => map.OfMlps(layer.Index, Granularity.Channel, Ignore))];
        _headNorms = [.. layout.Layers.SelectMany(layer => map.OfHeadNorms(layer, Granularity.Channel, Ignore))];
        _norms =
        [
            .. Enumerable.Range(MapExchanges.Outside, layout.Layers.Length + 1)
                .SelectMany(layer => map.OfNorms(layer, Granularity.Channel, Ignore)),
        ];
        foreach (var exchange in layout.Layers.SelectMany(layer => OfAttention(layout, layer)).Concat(_hidden))
        {
            foreach (var slice in exchange.Slices)
            {
                if (!_free.TryGetValue(slice.Tensor, out var free))
                    _free.Add(slice.Tensor, free = new FreeIndices(slice.Axis, slice.Parts, []));
                foreach (var run in slice.Runs) free.Indices.UnionWith(Enumerable.Range(run.Start, run.Count));
            }
        }

        static void Ignore(string reason)
        {
        }
    }

    /// <summary>What is no scaling.</summary>
    public IReadOnlyList<string> Differences => _differences;

    /// <summary>The norms and MLPs through which factors other than 1 were found.</summary>
    public IReadOnlyList<string> Spaces => _spaces;

    /// <summary>The indices along an axis of a tensor that some exchange may scale; null where none does.</summary>
    public FreeIndices? Free(string tensor) => _free.GetValueOrDefault(tensor);

    /// <summary>True where every byte of a tensor has been held against its factors, or is by what looks at it through them.</summary>
    public bool Explains(string tensor) => _explained.Contains(tensor);

    /// <summary>A tensor of both models, the other's as it would be without the factors of the norm that it reads behind.</summary>
    public TensorPair Pair(string tensor) => new(_a.Find(tensor)!, _b.Find(tensor)!, _seen.GetValueOrDefault(tensor));

    /// <summary>Finds and holds everything.</summary>
    public void Certify(int threads, CancellationToken cancellation)
    {
        Rescaling.Workers.Run(_norms, threads, CheckNorm, cancellation);
        Rescaling.Workers.Run(_hidden, threads, CheckHidden, cancellation);
        Rescaling.Workers.Run(_headNorms, threads, CheckHeadNorms, cancellation);
        _differences.Sort(StringComparer.Ordinal);
        _spaces.Sort(StringComparer.Ordinal);
    }

    private static IEnumerable<Exchange> OfAttention(ModelLayout layout, AttentionLayer layer) =>
        AttentionGeometry.Kinds.Select(kind => Exchange.TryCompile(layout.Geometry, layer, kind, Granularity.Tensor, out _))
            .OfType<Exchange>();

    private void CheckNorm(Exchange exchange)
    {
        var gain = exchange.Slices.Single(slice => slice.IsGain);
        if (!_changed.Contains(gain.Tensor)) return;
        double offset = gain.AddsOne ? 1 : 0;
        double[] before = Values(_a, gain.Tensor), after = Values(_b, gain.Tensor);
        int n = before.Length;
        double[] told = [.. before.Zip(after, (x, y) => (y + offset) / (x + offset))];
        Reader[] readers = [.. exchange.Slices.Where(slice => slice.Exponent < 0).Select(slice => new Reader(this, slice))];
        double[] factors = [.. told], refined = Refine(readers, told);
        if (_kinship.PowersOfTwo) refined = Array.ConvertAll(refined, NearestPower);

        // Readers that agree on a factor are believed; where they do not, the gain is.
        bool[] misfits = new bool[n], moved = new bool[n];
        foreach (var reader in readers) reader.Misfits(refined, misfits, moved);
        for (int j = 0; j < n; j++)
        {
            if (!misfits[j] && double.IsFinite(refined[j])) factors[j] = refined[j];

            // After one move, a factor too near to 1 to change a gain has not changed this one, whatever rows were scaled by.
            if (_kinship is { Moved: true, Roundings: 1 } && !misfits[j] && double.IsFinite(refined[j]))
                moved[j] &= Math.Abs(refined[j] - 1) > 0.5 * Math.ScaleB(1, -Dtype(gain.Tensor).SignificandBits());
        }

        if (!_kinship.PowersOfTwo)
        {
            if (readers.Any(reader => reader.HasFixed) && Drift(gain, before, after, refined, offset) is { } drift)
                Report($"norm '{exchange.Space}': {drift}");
        }

        for (int j = 0; j < n; j++)
        {
            if (!double.IsFinite(factors[j]) || factors[j] == 0) factors[j] = 1;
        }

        CheckVector(gain.Tensor, before, after, factors, offset, moved);
        var bias = exchange.Slices.FirstOrDefault(slice => slice.IsBias && slice.Exponent > 0);
        if (bias is not null) CheckVector(bias.Tensor, Values(_a, bias.Tensor), Values(_b, bias.Tensor), factors, 0, moved);
        foreach (var reader in readers)
        {
            if (reader.Check(factors) is { } difference) Report(difference);
            lock (_seen)
            {
                _seen[reader.Slice.Tensor] = reader.View(factors);
                _explained.Add(reader.Slice.Tensor);
            }
        }

        Found(exchange.Space, factors);
    }

    private static double NearestPower(double factor) =>
        factor == 0 || !double.IsFinite(factor)
            ? factor
            : Math.CopySign(Math.ScaleB(1, (int)Math.Round(Math.Log2(Math.Abs(factor)))), factor);

    /// <summary>
    /// The factors of a norm as its readers tell them, which have many elements where a gain has one. Rows that an exchange may scale have
    /// a factor of their own, found in turn with those of the columns.
    /// </summary>
    private static double[] Refine(Reader[] readers, double[] told)
    {
        int n = told.Length;
        double[] inverse = [.. told.Select(factor => double.IsFinite(factor) && factor != 0 ? 1 / factor : 1)];
        for (int sweep = 0; sweep < 3; sweep++)
        {
            double[] products = new double[n], squares = new double[n];
            foreach (var reader in readers) reader.Add(inverse, products, squares);
            double[] next = [.. products.Zip(squares, (product, square) => square > 0 ? product / square : double.NaN)];
            if (!readers.Any(reader => reader.HasFixed))
            {
                // Nothing tells a factor of all rows from one of all columns: the gain does.
                double[] logs = [.. next.Zip(told, (x, y) => Math.Log(Math.Abs(x * y))).Where(double.IsFinite)];
                double gauge = logs.Length == 0 ? 1 : Math.Exp(-logs.Average());
                for (int j = 0; j < n; j++) next[j] *= gauge;
            }

            for (int j = 0; j < n; j++) inverse[j] = double.IsFinite(next[j]) ? next[j] : inverse[j];
        }

        return Array.ConvertAll(inverse, factor => 1 / factor);
    }

    /// <summary>Whether a gain and its readers cancel in the mean, as far as rounding of the gain leaves it open; null where they do.
    /// </summary>
    private string? Drift(ScaledAxis gain, double[] before, double[] after, double[] refined, double offset)
    {
        var dtype = Dtype(gain.Tensor);
        double low = 0, high = 0;
        int count = 0;
        for (int j = 0; j < before.Length; j++)
        {
            double x = (before[j] + offset) * refined[j];
            if (!double.IsFinite(x) || x == 0) continue;
            double unit = Unit(after[j], dtype), own = Unit(before[j], dtype);
            double ratio = (after[j] + offset) / x;
            double slack = _kinship.FactorRoundings * ((unit / Math.Abs(x)) + (own / Math.Abs(before[j] + offset)));
            low += ratio - slack - 1;
            high += ratio + slack - 1;
            count++;
        }

        if (count == 0) return null;
        double tolerance = _kinship.FactorTolerance(dtype, 0);
        return low / count <= tolerance && high / count >= -tolerance ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"its gain and what reads behind it do not cancel: their product is {1 + ((low + high) / 2 / count):0.000000} in the mean");
    }

    /// <summary>A number's unit in the last place.</summary>
    private static double Unit(double value, Dtype dtype) =>
        Math.ScaleB(1, Math.ILogB(Math.Max(Math.Abs(value), Elements.MinNormal(dtype))) + 1 - dtype.SignificandBits());

    private void CheckHidden(Exchange exchange)
    {
        if (!exchange.Slices.Any(slice => _changed.Contains(slice.Tensor))) return;
        // What moves on one side alone is no exchange, however little it is.
        string[] alone = [.. OneSided(exchange)];
        if (alone.Length > 0)
        {
            foreach (string tensor in alone) Report($"tensor '{tensor}' differs");
            return;
        }

        int experts = exchange.Slices.Max(slice => slice.Runs.Length), count = exchange.GroupOfChannel.Length / experts;
        bool moved = false;
        for (int expert = 0; expert < experts; expert++)
        {
            var writers = exchange.Slices.Where(slice => slice.Exponent > 0 && !slice.IsBias)
                .Select(slice => Of(slice, Bias(slice))).ToList();
            var readers = exchange.Slices.Where(slice => slice.Exponent < 0).Select(slice => Of(slice, null)).ToList();
            foreach (string difference in writers.Concat(readers).SelectMany(side => side.Differences)) Report(difference);
            if (writers.Concat(readers).Any(side => side.Differences.Length > 0)) continue;
            moved |= Enumerable.Range(0, count).Any(channel => Math.Abs(writers[0].Of(0, channel) - 1) > 1e-9);
            string where = $"'{exchange.Space}'{(experts > 1 ? $", expert {expert}" : "")}";
            foreach (var reader in readers)
            {
                foreach (var writer in writers)
                {
                    if (Uncancelled(where, writer, reader, count, exchange.Degree) is { } difference)
                    {
                        Report(difference);
                        break;
                    }
                }
            }

            ChannelFactors Of(ScaledAxis slice, ScaledAxis? bias)
            {
                var weight = Pair(slice.Tensor);
                int start = slice.Runs[expert].Start;
                if (experts > 1 || slice.Runs.Length > 1)
                {
                    weight = weight.Part(expert, experts);
                    start -= expert * (int)weight.A.Info.Shape[slice.Axis];
                }

                var added = bias is null ? null : Pair(bias.Tensor);
                if (added is not null && experts > 1) added = added.Part(expert, experts);
                return ChannelFactors.Between(
                    weight, added, new Projection(slice.Tensor, bias?.Tensor, slice.Axis, [start]), count, _kinship);
            }
        }

        if (moved)
        {
            lock (_spaces) _spaces.Add(exchange.Space);
        }

        // Of several writers each has the bias that its name begins like.
        ScaledAxis? Bias(ScaledAxis weight) => exchange.Slices.FirstOrDefault(slice =>
            slice.IsBias && (slice.Tensor == Module(weight.Tensor) + ".bias" || slice.Tensor == weight.Tensor + "_bias"));

        static string Module(string tensor) => tensor.EndsWith(".weight", StringComparison.Ordinal) ? tensor[..^7] : tensor;
    }

    /// <summary>The tensors that differ on one side of an exchange, where none does on the other, and no norm explains them.</summary>
    private IEnumerable<string> OneSided(Exchange exchange)
    {
        var sides = exchange.Slices.Where(slice => _changed.Contains(slice.Tensor)).ToLookup(slice => slice.Exponent > 0);
        if (sides.Count != 1) return [];
        var differing = sides.Single().Select(slice => slice.Tensor).Distinct().ToList();
        return differing.Any(_seen.ContainsKey) ? [] : differing;
    }

    private string? Uncancelled(string where, ChannelFactors writer, ChannelFactors reader, int count, int degree)
    {
        var coarser = writer.Dtype.SignificandBits() < reader.Dtype.SignificandBits() ? writer.Dtype : reader.Dtype;
        double tolerance = degree * _kinship.Tolerance(coarser), sum = 0, variance = 0;
        int counted = 0;
        for (int channel = 0; channel < count; channel++)
        {
            double up = writer.Of(0, channel), down = reader.Of(0, channel), product = Math.Pow(up, degree) * down;
            if (!double.IsFinite(product) || product == 0) continue;
            if (Math.Abs(product - 1) > tolerance)
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"the factors of channel {channel} of {where} do not cancel: {up:R}{(degree > 1 ? $"^{degree}" : "")} x {down:R}");
            sum += product - 1;
            variance += (degree * degree * writer.VarianceOf(0, channel)) + reader.VarianceOf(0, channel);
            counted++;
        }

        if (_kinship.PowersOfTwo || counted == 0) return null;
        double allowed = _kinship.FactorTolerance(coarser, variance / ((double)counted * counted));
        if (Math.Abs(sum / counted) <= allowed) return null;
        var (lowUp, highUp) = writer.Bounds(count, _kinship.FactorRoundings);
        var (lowDown, highDown) = reader.Bounds(count, _kinship.FactorRoundings);
        double low = 0, high = 0;
        for (int channel = 0; channel < count; channel++)
        {
            int i = writer.IndexOf(0, channel), j = reader.IndexOf(0, channel);
            double least = Math.Pow(lowUp[i], degree) * lowDown[j], most = Math.Pow(highUp[i], degree) * highDown[j];
            if (!double.IsFinite(least) || !double.IsFinite(most)) continue;
            low += least - 1;
            high += most - 1;
        }

        return low / counted <= allowed && high / counted >= -allowed ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"the factors of {where} do not cancel: their product is {1 + (sum / counted):0.000000} in the mean of {counted} channels, "
                + $"and rounding explains a difference from 1 of {allowed:0.0e+00}");
    }

    /// <summary>Gains of queries and keys: one factor for each pair, on the one side its inverse.</summary>
    private void CheckHeadNorms(Exchange exchange)
    {
        if (!exchange.Slices.Any(slice => _changed.Contains(slice.Tensor))) return;
        double[] logs = new double[exchange.Groups.Length], counts = new double[logs.Length];
        foreach (var slice in exchange.Slices.Where(slice => !slice.IsBias))
        {
            double[] before = Values(_a, slice.Tensor), after = Values(_b, slice.Tensor);
            double offset = slice.AddsOne ? 1 : 0;
            foreach (var (index, group) in exchange.Indices(slice))
            {
                double log = Math.Log((after[index] + offset) / (before[index] + offset));
                if (!double.IsFinite(log)) continue;
                logs[group] += slice.Exponent * log;
                counts[group]++;
            }
        }

        double[] factors = [.. logs.Zip(counts, (log, count) => count == 0 ? 1 : Math.Exp(log / count))];
        if (_kinship.PowersOfTwo) factors = Array.ConvertAll(factors, factor => Math.ScaleB(1, (int)Math.Round(Math.Log2(factor))));
        foreach (var slice in exchange.Slices)
        {
            double[] before = Values(_a, slice.Tensor), along = new double[before.Length];
            Array.Fill(along, 1);
            foreach (var (index, group) in exchange.Indices(slice)) along[index] = slice.Power(factors[group]);
            CheckVector(slice.Tensor, before, Values(_b, slice.Tensor), along, slice.AddsOne ? 1 : 0);
        }

        Found(exchange.Space, factors);
    }

    /// <summary>Holds every element of a vector against its factor; where nothing moved that it is to cancel, against itself.</summary>
    private void CheckVector(string tensor, double[] before, double[] after, double[] factors, double offset, bool[]? moved = null)
    {
        lock (_explained) _explained.Add(tensor);
        var dtype = Dtype(tensor);
        double tolerance = _kinship.ElementTolerance(dtype), normal = Elements.MinNormal(dtype);
        for (int index = 0; index < before.Length; index++)
        {
            double factor = factors[index], expected = factor * (before[index] + offset), actual = after[index] + offset;
            double size = Math.Max(Math.Abs(expected), normal * Math.Max(1, factor));
            if (offset != 0) size = Math.Max(size, Math.Abs(after[index])) + (factor * Math.Abs(before[index]));
            bool mayMove = moved is null || moved[index];
            if (mayMove ? Math.Abs(actual - expected) <= tolerance * size : actual == before[index] + offset) continue;
            Report(string.Create(
                CultureInfo.InvariantCulture,
                $"tensor '{tensor}' at [{index}] is {after[index]:G9} where {expected - offset:G9} is the first's times {factor:G9}"));
            return;
        }
    }

    private void Found(string space, double[] factors)
    {
        if (!factors.Any(factor => Math.Abs(factor - 1) > 1e-9)) return;
        lock (_spaces) _spaces.Add(space);
    }

    private void Report(string difference)
    {
        lock (_differences) _differences.Add(difference);
    }

    private Dtype Dtype(string tensor) => _a.Find(tensor)!.Info.Dtype;

    private static double[] Values(Checkpoint checkpoint, string tensor) => new Rescaling.TurnPlan(checkpoint).All(tensor);

    /// <summary>A weight that reads behind a norm.</summary>
    private sealed class Reader
    {
        private readonly ScalingCertifier _of;
        private readonly MatrixView _left, _right;
        private readonly int[]? _channelOfRow;
        private readonly FreeIndices? _free;

        public Reader(ScalingCertifier of, ScaledAxis slice)
        {
            (_of, Slice) = (of, slice);
            _left = new MatrixView(of._a.Find(slice.Tensor)!, slice.Axis);
            _right = new MatrixView(of._b.Find(slice.Tensor)!, slice.Axis);
            var free = of.Free(slice.Tensor);
            _free = free?.Axis == 1 - slice.Axis ? free : null;
            HasFixed = _free is null || _free.Indices.Count < Others;
            if (slice.Axis != 0) return;
            _channelOfRow = new int[_left.Rows];
            foreach (var run in slice.Runs)
            {
                for (int i = 0; i < run.Count; i++) _channelOfRow[run.Start + i] = run.Channel + i;
            }
        }

        public ScaledAxis Slice { get; }

        /// <summary>True where it has rows (columns) that no exchange may scale.</summary>
        public bool HasFixed { get; }

        /// <summary>Number of indices across the norm's channels.</summary>
        private int Others => Slice.Axis == 1 ? _left.Rows : _left.Columns * (_free?.Parts ?? 1);

        /// <summary>The factors that take the norm's back.</summary>
        public AxisFactors View(double[] factors) =>
            AxisFactors.Along(Slice.Axis, _channelOfRow is null ? factors : Array.ConvertAll(_channelOfRow, channel => factors[channel]));

        /// <summary>Adds what least squares need for each channel, given the inverse factors so far.</summary>
        public void Add(double[] inverse, double[] products, double[] squares)
        {
            double[] others = OthersOf(inverse);
            ForEachRow((row, x, y) =>
            {
                for (int column = 0; column < x.Length; column++)
                {
                    int channel = _channelOfRow is null ? column : _channelOfRow[row];
                    double scaled = x[column] * others[Other(row, column)];
                    products[channel] += scaled * y[column];
                    squares[channel] += scaled * scaled;
                }
            });
        }

        /// <summary>Marks the channels in which some element is not what the norm's factor, and one for all that lies across, make of it.
        /// </summary>
        /// <param name="factors">The norm's factors.</param>
        /// <param name="misfits">Where to mark them.</param>
        /// <param name="moved">Where to mark the channels of which some element is not what it was.</param>
        public void Misfits(double[] factors, bool[] misfits, bool[] moved)
        {
            double[] others = OthersOf(Array.ConvertAll(factors, factor => 1 / factor));
            if (_of._kinship.PowersOfTwo) others = Array.ConvertAll(others, NearestPower);
            double tolerance = _of._kinship.ElementTolerance(_left.Dtype), normal = Elements.MinNormal(_left.Dtype);
            ForEachRow((row, x, y) =>
            {
                double typical = _of._kinship.Moved ? 0 : Math.Sqrt(y.Sum(value => value * value) / y.Length);
                for (int column = 0; column < x.Length; column++)
                {
                    int channel = _channelOfRow is null ? column : _channelOfRow[row];
                    moved[channel] |= x[column] != y[column];
                    double factor = others[Other(row, column)] / factors[channel], expected = x[column] * factor;
                    double size = Math.Max(Math.Max(Math.Abs(expected), typical), normal * Math.Max(1, Math.Abs(factor)));
                    if (!(Math.Abs(y[column] - expected) <= tolerance * size)) misfits[channel] = true;
                }
            });
        }

        /// <summary>The first element that no exchange scales otherwise and that is not what the norm's factor makes of it.</summary>
        public string? Check(double[] factors)
        {
            if (!HasFixed) return null;
            string? difference = null;
            double tolerance = _of._kinship.ElementTolerance(_left.Dtype), normal = Elements.MinNormal(_left.Dtype);
            ForEachRow((row, x, y) =>
            {
                if (difference is not null) return;
                double sum = 0;
                for (int column = 0; column < x.Length; column++)
                {
                    double expected = x[column] / factors[_channelOfRow is null ? column : _channelOfRow[row]];
                    sum += expected * expected;
                }

                double typical = _of._kinship.Moved ? 0 : Math.Sqrt(sum / x.Length);
                for (int column = 0; column < x.Length; column++)
                {
                    if (_free?.Indices.Contains(Other(row, column)) == true) continue;
                    double factor = factors[_channelOfRow is null ? column : _channelOfRow[row]], expected = x[column] / factor;
                    double size = Math.Max(Math.Max(Math.Abs(expected), typical), normal * Math.Max(1, 1 / Math.Abs(factor)));
                    if (Math.Abs(y[column] - expected) <= tolerance * size) continue;
                    difference = string.Create(
                        CultureInfo.InvariantCulture,
                        $"tensor '{Slice.Tensor}' at [{row}, {column}] is {y[column]:G9} where the gain of the norm before it asks for "
                        + $"{expected:G9}, the first's by {factor:G9}");
                    return;
                }
            });
            return difference;
        }

        /// <summary>The factors across: found for what an exchange may scale, 1 for all else.</summary>
        private double[] OthersOf(double[] inverse)
        {
            double[] others = new double[Others];
            Array.Fill(others, 1);
            if (_free is null) return others;
            double[] products = new double[others.Length], squares = new double[others.Length];
            ForEachRow((row, x, y) =>
            {
                for (int column = 0; column < x.Length; column++)
                {
                    int other = Other(row, column);
                    double scaled = x[column] * inverse[_channelOfRow is null ? column : _channelOfRow[row]];
                    products[other] += scaled * y[column];
                    squares[other] += scaled * scaled;
                }
            });
            foreach (int index in _free.Indices)
            {
                if (squares[index] > 0) others[index] = products[index] / squares[index];
            }

            return others;
        }

        private int Other(int row, int column) =>
            Slice.Axis == 1 ? row
            : _free is not { Parts: > 1 } free ? column
            : (row / (_left.Rows / free.Parts) * _left.Columns) + column;

        private void ForEachRow(Action<int, double[], double[]> act)
        {
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            using RowReader left = new(_left), right = new(_right);
            for (int row = 0; row < _left.Rows; row++)
            {
                left.Decode(row, x);
                right.Decode(row, y);
                act(row, x, y);
            }
        }
    }
}

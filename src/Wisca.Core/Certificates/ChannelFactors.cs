using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.Intrinsics;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>
/// By what each channel of a projection differs between two models. An exchange multiplies a channel's row (or column), and its bias, by
/// one factor; the factor is recovered by least squares, sum(a b) / sum(a a), and every element is then held against it.
/// <para>
/// Rounding errors that are independent, each within half a unit in the last place and so of a deviation of at most
/// 2^(1-p) |b| / sqrt(12), give the factor the variance 2^(2-2p) / 12 sum(a² b²) / sum(a a)²: relative to the factor a deviation of
/// 2^-p / sqrt(n) for n elements of a normal distribution. It is known far better than any one element tells.
/// </para>
/// </summary>
internal sealed class ChannelFactors
{
    private readonly double[] _factors, _variances;
    private readonly Projection _projection;
    private readonly TensorPair _weight;

    private ChannelFactors(
        TensorPair weight, double[] factors, double[] variances, Projection projection, ImmutableArray<string> differences)
    {
        _weight = weight;
        _factors = factors;
        _variances = variances;
        _projection = projection;
        Differences = differences;
    }

    /// <summary>The type of the weight.</summary>
    public Dtype Dtype => _weight.A.Info.Dtype;

    /// <summary>The first element of the weight, and of the bias, that is not its channel's multiple of the reference's.</summary>
    public ImmutableArray<string> Differences { get; }

    /// <summary>The factor of a head's channel; NaN where it is all zeros in both models, so that any factor would do.</summary>
    public double Of(int head, int channel) => _factors[_projection.Starts[head] + channel];

    /// <summary>The variance of that factor, relative to its square, by one rounding of every element.</summary>
    public double VarianceOf(int head, int channel) => _variances[_projection.Starts[head] + channel];

    /// <summary>Finds the factors.</summary>
    /// <param name="pair">The weight.</param>
    /// <param name="added">The bias that follows its channels; null for none.</param>
    /// <param name="projection">Where the channels lie.</param>
    /// <param name="headDim">Number of channels from each start on.</param>
    /// <param name="kinship">What the ledgers say of the two.</param>
    public static ChannelFactors Between(TensorPair pair, TensorPair? added, Projection projection, int headDim, Kinship kinship)
    {
        (int Start, int Length)[] runs = [.. Runs(projection, headDim)];
        var weight = new Comparison(pair, projection.Axis, kinship);
        double[] factors = new double[weight.Length];
        double[] variances = new double[weight.Length];
        Array.Fill(factors, double.NaN);
        var differences = new List<string?> { weight.Recover(runs, factors, variances) };

        // A channel whose weights are all zeros may still have a bias, which then tells the factor.
        if (added is not null) differences.Add(new Comparison(added, 0, kinship).Recover(runs, factors, variances));
        return new ChannelFactors(pair, factors, variances, projection, [.. differences.OfType<string>()]);
    }

    /// <summary>
    /// The smallest and the largest factor with which every element of a channel is so many roundings from its multiple, index by index of
    /// the projection's axis: the channel's own factor twice where there is none. Rounding by factors close to 1 goes one way for most
    /// elements, which least squares cannot know; what every element allows is a bound whatever the errors are like.
    /// </summary>
    public (double[] Low, double[] High) Bounds(int headDim, int roundings)
    {
        double[] low = new double[_factors.Length], high = new double[_factors.Length];
        Array.Fill(high, double.PositiveInfinity);
        new Comparison(_weight, _projection.Axis, default).Narrow([.. Runs(_projection, headDim)], roundings, low, high);
        for (int i = 0; i < low.Length; i++)
        {
            if (low[i] > high[i] || double.IsInfinity(high[i])) low[i] = high[i] = _factors[i];
        }

        return (low, high);
    }

    /// <summary>Where a head's channel lies in <see cref="Bounds"/>.</summary>
    public int IndexOf(int head, int channel) => _projection.Starts[head] + channel;

    /// <summary>The indices of a projection's channels, heads that follow each other joined.</summary>
    private static IEnumerable<(int Start, int Length)> Runs(Projection projection, int headDim)
    {
        int first = 0, end = 0;
        foreach (int start in projection.Starts.Order())
        {
            if (start != end)
            {
                if (end > first) yield return (first, end - first);
                first = start;
            }

            end = start + headDim;
        }

        yield return (first, end - first);
    }

    /// <summary>One tensor in both models. A bias is a matrix of one row, its channels the columns.</summary>
    private readonly struct Comparison(TensorPair pair, int axis, Kinship kinship)
    {
        private readonly MatrixView _left = pair.Left(axis), _right = pair.Right(axis);

        public int Length => _left.Length;

        /// <summary>Finds the factors that are not known yet (NaN),
        /// and names the first element that is not its factor times the reference's.</summary>
        public string? Recover((int Start, int Length)[] runs, double[] factors, double[] variances) =>
            _left.ByRow ? RecoverRows(runs, factors, variances) : RecoverColumns(runs, factors, variances);

        /// <summary>Narrows the factors of each channel to those that all its elements allow, signs apart.</summary>
        public void Narrow((int Start, int Length)[] runs, int roundings, double[] low, double[] high)
        {
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            for (int row = 0; row < _left.Rows; row++)
            {
                if (_left.ByRow && !runs.Any(run => row >= run.Start && row < run.Start + run.Length)) continue;
                Decode(row, x, y);
                for (int column = 0; column < x.Length; column++)
                {
                    if (x[column] == 0 || y[column] == 0) continue;
                    double unit = Math.Max(RelativeUnit(x[column]), RelativeUnit(y[column]));
                    double middle = y[column] / x[column];
                    double slack = Math.Abs(middle) * ((0.5 * unit) + ((roundings - 1) * Math.ScaleB(1, -_left.Dtype.SignificandBits())));
                    int index = _left.ByRow ? row : column;
                    low[index] = Math.Max(low[index], middle - (slack * 1.01));
                    high[index] = Math.Min(high[index], middle + (slack * 1.01));
                }
            }
        }

        /// <summary>A number's unit in the last place, relative to it.</summary>
        private double RelativeUnit(double value)
        {
            double magnitude = Math.Abs(value), smallest = Elements.MinNormal(_left.Dtype);
            if (magnitude == 0) return 1;
            return Math.ScaleB(1, Math.ILogB(Math.Max(magnitude, smallest)) + 1 - _left.Dtype.SignificandBits()) / magnitude;
        }

        /// <summary>The variance of a factor relative to its square, from sum(a b a b) and sum(a a).</summary>
        private double Variance(double factor, double fourth, double square)
        {
            double normal = Elements.MinNormal(_left.Dtype) * Math.Max(1, Math.Abs(factor));
            return Math.ScaleB(1, 2 - (2 * _left.Dtype.SignificandBits())) / 12
                * (fourth + (normal * normal * square)) / (factor * factor * square * square);
        }

        private string? RecoverRows((int Start, int Length)[] runs, double[] factors, double[] variances)
        {
            string? difference = null;
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            foreach (var (start, length) in runs)
            {
                for (int row = start; row < start + length; row++)
                {
                    Decode(row, x, y);
                    double square = Dot(x, x);
                    factors[row] = Dot(x, y) / square;
                    variances[row] = Variance(factors[row], DotOfSquares(x, y), square);
                    double[] scale = [kinship.Moved ? 0 : Math.Abs(factors[row]) * Math.Sqrt(square / x.Length)];
                    if (difference is null && !AllWithin(x, y, factors.AsSpan(row, 1), scale))
                        difference = FirstDifference(row, 0, x, y, factors.AsSpan(row, 1), scale);
                }
            }

            return difference;
        }

        private string? RecoverColumns((int Start, int Length)[] runs, double[] factors, double[] variances)
        {
            double[] products = new double[_left.Columns], squares = new double[_left.Columns];
            double[] fourths = new double[_left.Columns], scales = new double[_left.Columns];
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            for (int row = 0; row < _left.Rows; row++)
            {
                Decode(row, x, y);
                foreach (var (start, length) in runs)
                {
                    AddProducts(x.AsSpan(start, length), y.AsSpan(start, length), products.AsSpan(start, length));
                    AddProducts(x.AsSpan(start, length), x.AsSpan(start, length), squares.AsSpan(start, length));
                    AddProductsOfSquares(x.AsSpan(start, length), y.AsSpan(start, length), fourths.AsSpan(start, length));
                }
            }

            for (int column = 0; column < factors.Length; column++)
            {
                // A bias is held against the factor of its weights, and known no better than these.
                if (double.IsNaN(factors[column]))
                {
                    factors[column] = products[column] / squares[column];
                    variances[column] = Variance(factors[column], fourths[column], squares[column]);
                }

                // A bias has one element a channel: there is no row to compare it with.
                if (_left.Rows > 1 && !kinship.Moved) scales[column] = Math.Abs(factors[column]) * Math.Sqrt(squares[column] / _left.Rows);
            }

            for (int row = 0; row < _left.Rows; row++)
            {
                Decode(row, x, y);
                foreach (var (start, length) in runs)
                {
                    ReadOnlySpan<double> before = x.AsSpan(start, length), after = y.AsSpan(start, length);
                    ReadOnlySpan<double> factor = factors.AsSpan(start, length), scale = scales.AsSpan(start, length);
                    if (!AllWithin(before, after, factor, scale)) return FirstDifference(row, start, before, after, factor, scale);
                }
            }

            return null;
        }

        /// <summary>
        /// True where every y is its factor times x to rounding: of the element or, unless ledgers tell that one is the other moved, of the
        /// root mean square of its row (column), since an element in which the parts of a sum all but cancel has their rounding. Below the
        /// normal range the unit no longer shrinks with the number, on either side.
        /// </summary>
        private bool AllWithin(ReadOnlySpan<double> x, ReadOnlySpan<double> y, ReadOnlySpan<double> factors, ReadOnlySpan<double> scales)
        {
            var tolerance = Vector256.Create(kinship.ElementTolerance(_left.Dtype));
            var normal = Vector256.Create(Elements.MinNormal(_left.Dtype));
            Vector256<double> factor = Vector256.Create(factors[0]), scale = Vector256.Create(scales[0]);
            int i = 0;
            for (; i <= x.Length - Vector256<double>.Count; i += Vector256<double>.Count)
            {
                if (factors.Length > 1) (factor, scale) = (Vector256.Create(factors[i..]), Vector256.Create(scales[i..]));

                // All zeros: the factor is unknown, and 1 does.
                var known = Vector256.ConditionalSelect(Vector256.Equals(factor, factor), factor, Vector256<double>.One);
                var expected = known * Vector256.Create(x[i..]);
                var unit = normal * Vector256.Max(Vector256<double>.One, Vector256.Abs(known));
                var typical = Vector256.ConditionalSelect(Vector256.Equals(scale, scale), scale, Vector256<double>.Zero);
                var bound = tolerance * Vector256.Max(Vector256.Max(Vector256.Abs(expected), typical), unit);
                if (!Vector256.LessThanOrEqualAll(Vector256.Abs(Vector256.Create(y[i..]) - expected), bound)) return false;
            }

            for (; i < x.Length; i++)
            {
                int channel = factors.Length > 1 ? i : 0;
                if (!Within(x[i], y[i], factors[channel], scales[channel])) return false;
            }

            return true;
        }

        private bool Within(double x, double y, double factor, double scale) =>
            Math.Abs(y - (Known(factor) * x)) <= Allowed(x, factor, scale);

        private double Allowed(double x, double factor, double scale)
        {
            double known = Known(factor), unit = Elements.MinNormal(_left.Dtype) * Math.Max(1, Math.Abs(known));
            double typical = double.IsNaN(scale) ? 0 : scale;
            return kinship.ElementTolerance(_left.Dtype) * Math.Max(Math.Max(Math.Abs(known * x), typical), unit);
        }

        private static double Known(double factor) => double.IsNaN(factor) ? 1 : factor;

        private string FirstDifference(
            int row, int start, ReadOnlySpan<double> x, ReadOnlySpan<double> y, ReadOnlySpan<double> factors, ReadOnlySpan<double> scales)
        {
            bool single = factors.Length == 1;
            int i = 0;
            while (Within(x[i], y[i], factors[single ? 0 : i], scales[single ? 0 : i])) i++;
            double factor = factors[single ? 0 : i], expected = Known(factor) * x[i];
            string at = _left.Tensor.Info.Shape.Length == 1 ? $"[{start + i}]" : $"[{row}, {start + i}]";
            string line = _left.ByRow ? $"row {row}" : $"column {start + i}";
            string instead = double.IsNaN(factor)
                ? $"{line} of the first is all zeros"
                : string.Create(CultureInfo.InvariantCulture, $"{line} of the first times {factor:G9} has {expected:G9}");
            return string.Create(
                CultureInfo.InvariantCulture,
                $"tensor '{_left.Tensor.Info.Name}' at {at} is {y[i]:G9} where {instead}: a difference of {Math.Abs(y[i] - expected):G3}, "
                + $"allowed is {Allowed(x[i], factor, scales[single ? 0 : i]):G3}");
        }

        private void Decode(int row, double[] x, double[] y)
        {
            _left.Decode(row, x);
            _right.Decode(row, y);
        }
    }

    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Vector256<double> sum0 = default, sum1 = default;
        int i = 0;
        for (; i <= x.Length - 8; i += 8)
        {
            sum0 += Vector256.Create(x[i..]) * Vector256.Create(y[i..]);
            sum1 += Vector256.Create(x[(i + 4)..]) * Vector256.Create(y[(i + 4)..]);
        }

        double sum = Vector256.Sum(sum0 + sum1);
        for (; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    private static double DotOfSquares(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Vector256<double> sums = default;
        int i = 0;
        for (; i <= x.Length - 4; i += 4)
        {
            var product = Vector256.Create(x[i..]) * Vector256.Create(y[i..]);
            sums += product * product;
        }

        double sum = Vector256.Sum(sums);
        for (; i < x.Length; i++) sum += x[i] * y[i] * x[i] * y[i];
        return sum;
    }

    private static void AddProductsOfSquares(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> sums)
    {
        int i = 0;
        for (; i <= x.Length - 4; i += 4)
        {
            var product = Vector256.Create(x[i..]) * Vector256.Create(y[i..]);
            (Vector256.Create<double>(sums[i..]) + (product * product)).CopyTo(sums[i..]);
        }

        for (; i < x.Length; i++) sums[i] += x[i] * y[i] * x[i] * y[i];
    }

    private static void AddProducts(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> sums)
    {
        int i = 0;
        for (; i <= x.Length - 4; i += 4)
            (Vector256.Create<double>(sums[i..]) + (Vector256.Create(x[i..]) * Vector256.Create(y[i..]))).CopyTo(sums[i..]);
        for (; i < x.Length; i++) sums[i] += x[i] * y[i];
    }
}

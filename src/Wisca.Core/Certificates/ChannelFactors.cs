using System.Collections.Immutable;
using System.Runtime.Intrinsics;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Certificates;

/// <summary>
/// By what each channel of a projection differs between two models. An exchange multiplies a channel's row (or column), and its bias, by
/// one factor; the factor is recovered by least squares, sum(a b) / sum(a a), and every element is then held against it.
/// </summary>
internal sealed class ChannelFactors
{
    private readonly double[] _factors;
    private readonly Projection _projection;

    private ChannelFactors(double[] factors, Projection projection, ImmutableArray<string> differences)
    {
        _factors = factors;
        _projection = projection;
        Differences = differences;
    }

    /// <summary>The first element of the weight, and of the bias, that is not its channel's multiple of the reference's.</summary>
    public ImmutableArray<string> Differences { get; }

    /// <summary>The factor of a head's channel; NaN where it is all zeros in both models, so that any factor would do.</summary>
    public double Of(int head, int channel) => _factors[_projection.Starts[head] + channel];

    public static ChannelFactors Between(Checkpoint a, Checkpoint b, Projection projection, int headDim, Kinship kinship)
    {
        (int Start, int Length)[] runs = [.. Runs(projection, headDim)];
        var weight = new Comparison(a.Find(projection.Weight)!, b.Find(projection.Weight)!, projection.Axis, kinship);
        double[] factors = new double[weight.Length];
        Array.Fill(factors, double.NaN);
        var differences = new List<string?> { weight.Recover(runs, factors) };

        // A channel whose weights are all zeros may still have a bias, which then tells the factor.
        if (projection.Bias is { } bias) differences.Add(new Comparison(a.Find(bias)!, b.Find(bias)!, 0, kinship).Recover(runs, factors));
        return new ChannelFactors(factors, projection, [.. differences.OfType<string>()]);
    }

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
    private readonly struct Comparison(StoredTensor a, StoredTensor b, int axis, Kinship kinship)
    {
        private readonly MatrixView _left = new(a, axis), _right = new(b, axis);

        public int Length => _left.Length;

        /// <summary>Finds the factors that are not known yet (NaN),
        /// and names the first element that is not its factor times the reference's.</summary>
        public string? Recover((int Start, int Length)[] runs, double[] factors) =>
            _left.ByRow ? RecoverRows(runs, factors) : RecoverColumns(runs, factors);

        private string? RecoverRows((int Start, int Length)[] runs, double[] factors)
        {
            string? difference = null;
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            foreach (var (start, length) in runs)
            {
                for (int row = start; row < start + length; row++)
                {
                    Decode(row, x, y);
                    factors[row] = Dot(x, y) / Dot(x, x);
                    if (difference is null && !AllWithin(x, y, factors.AsSpan(row, 1)))
                        difference = FirstDifference(row, 0, x, y, factors.AsSpan(row, 1));
                }
            }

            return difference;
        }

        private string? RecoverColumns((int Start, int Length)[] runs, double[] factors)
        {
            double[] products = new double[_left.Columns], squares = new double[_left.Columns];
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            for (int row = 0; row < _left.Rows; row++)
            {
                Decode(row, x, y);
                foreach (var (start, length) in runs)
                {
                    AddProducts(x.AsSpan(start, length), y.AsSpan(start, length), products.AsSpan(start, length));
                    AddProducts(x.AsSpan(start, length), x.AsSpan(start, length), squares.AsSpan(start, length));
                }
            }

            for (int column = 0; column < factors.Length; column++)
            {
                if (double.IsNaN(factors[column])) factors[column] = products[column] / squares[column];
            }

            for (int row = 0; row < _left.Rows; row++)
            {
                Decode(row, x, y);
                foreach (var (start, length) in runs)
                {
                    if (!AllWithin(x.AsSpan(start, length), y.AsSpan(start, length), factors.AsSpan(start, length)))
                        return FirstDifference(row, start, x.AsSpan(start, length), y.AsSpan(start, length), factors.AsSpan(start, length));
                }
            }

            return null;
        }

        /// <summary>True where every y is its factor times x to rounding.
        /// Below the normal range the unit no longer shrinks with the number, on either side.</summary>
        private bool AllWithin(ReadOnlySpan<double> x, ReadOnlySpan<double> y, ReadOnlySpan<double> factors)
        {
            var tolerance = Vector256.Create(kinship.ElementTolerance(_left.Dtype));
            var normal = Vector256.Create(Elements.MinNormal(_left.Dtype));
            var factor = Vector256.Create(factors[0]);
            int i = 0;
            for (; i <= x.Length - Vector256<double>.Count; i += Vector256<double>.Count)
            {
                if (factors.Length > 1) factor = Vector256.Create(factors[i..]);

                // All zeros: the factor is unknown, and 1 does.
                var known = Vector256.ConditionalSelect(Vector256.Equals(factor, factor), factor, Vector256<double>.One);
                var expected = known * Vector256.Create(x[i..]);
                var unit = normal * Vector256.Max(Vector256<double>.One, Vector256.Abs(known));
                var bound = tolerance * Vector256.Max(Vector256.Abs(expected), unit);
                if (!Vector256.LessThanOrEqualAll(Vector256.Abs(Vector256.Create(y[i..]) - expected), bound)) return false;
            }

            for (; i < x.Length; i++)
            {
                if (!Within(x[i], y[i], factors[factors.Length > 1 ? i : 0])) return false;
            }

            return true;
        }

        private bool Within(double x, double y, double factor)
        {
            double known = double.IsNaN(factor) ? 1 : factor, expected = known * x;
            double unit = Elements.MinNormal(_left.Dtype) * Math.Max(1, Math.Abs(known));
            return Math.Abs(y - expected) <= kinship.ElementTolerance(_left.Dtype) * Math.Max(Math.Abs(expected), unit);
        }

        private string FirstDifference(int row, int start, ReadOnlySpan<double> x, ReadOnlySpan<double> y, ReadOnlySpan<double> factors)
        {
            int i = 0;
            while (Within(x[i], y[i], factors[factors.Length > 1 ? i : 0])) i++;
            double factor = factors[factors.Length > 1 ? i : 0];
            string at = _left.Tensor.Info.Shape.Length == 1 ? $"[{start + i}]" : $"[{row}, {start + i}]";
            string line = _left.ByRow ? $"row {row}" : $"column {start + i}";
            string instead = double.IsNaN(factor)
                ? $"{line} of the first is all zeros"
                : $"{line} of the first times {factor:G6} has {factor * x[i]:G6}";
            return $"tensor '{_left.Tensor.Info.Name}' at {at} is {y[i]:G6} where {instead}";
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

    private static void AddProducts(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> sums)
    {
        int i = 0;
        for (; i <= x.Length - 4; i += 4)
            (Vector256.Create<double>(sums[i..]) + (Vector256.Create(x[i..]) * Vector256.Create(y[i..]))).CopyTo(sums[i..]);
        for (; i < x.Length; i++) sums[i] += x[i] * y[i];
    }
}

using System.Collections.Immutable;
using Wisca.Architectures;
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
    private readonly int _headDim;

    private ChannelFactors(double[] factors, int headDim, ImmutableArray<string> differences)
    {
        _factors = factors;
        _headDim = headDim;
        Differences = differences;
    }

    /// <summary>The first element of the weight, and of the bias, that is not its channel's multiple of the reference's.</summary>
    public ImmutableArray<string> Differences { get; }

    /// <summary>The factor of a head's channel; NaN where it is all zeros in both models, so that any factor would do.</summary>
    public double Of(int head, int channel) => _factors[(head * _headDim) + channel];

    public static ChannelFactors Between(Checkpoint a, Checkpoint b, Projection projection, int headDim, Kinship kinship)
    {
        int[] indices = [.. from start in projection.Starts from channel in Enumerable.Range(0, headDim) select start + channel];
        var weight = new Comparison(a.Find(projection.Weight)!, b.Find(projection.Weight)!, projection.Axis, kinship);
        double[] factorOf = weight.Factors(indices);
        var differences = ImmutableArray.CreateBuilder<string>();
        if (weight.FirstDifference(indices, factorOf) is { } inWeight) differences.Add(inWeight);
        if (projection.Bias is { } name)
        {
            var bias = new Comparison(a.Find(name)!, b.Find(name)!, 0, kinship);
            double[] own = bias.Factors(indices);
            foreach (int index in indices)
            {
                if (double.IsNaN(factorOf[index])) factorOf[index] = own[index];
            }

            if (bias.FirstDifference(indices, factorOf) is { } inBias) differences.Add(inBias);
        }

        return new ChannelFactors([.. indices.Select(index => factorOf[index])], headDim, differences.ToImmutable());
    }

    /// <summary>One tensor in both models. A bias is a matrix of one row, its channels the columns.</summary>
    private readonly struct Comparison(StoredTensor a, StoredTensor b, int axis, Kinship kinship)
    {
        private readonly MatrixView _left = new(a, axis), _right = new(b, axis);

        /// <summary>For each index along the axis the factor; NaN for indices that are not asked for, or all zeros.</summary>
        public double[] Factors(int[] indices)
        {
            double[] products = new double[_left.Length], squares = new double[_left.Length];
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            foreach (int row in Rows(indices))
            {
                Decode(row, x, y);
                if (_left.ByRow)
                {
                    for (int column = 0; column < x.Length; column++)
                    {
                        products[row] += x[column] * y[column];
                        squares[row] += x[column] * x[column];
                    }
                }
                else
                {
                    foreach (int column in indices)
                    {
                        products[column] += x[column] * y[column];
                        squares[column] += x[column] * x[column];
                    }
                }
            }

            return [.. products.Zip(squares, (product, square) => product / square)];
        }

        /// <summary>Names the first element that is not its channel's factor times the reference's, to rounding.</summary>
        public string? FirstDifference(int[] indices, double[] factors)
        {
            double tolerance = kinship.ElementTolerance(_left.Dtype), normal = Elements.MinNormal(_left.Dtype);
            double[] x = new double[_left.Columns], y = new double[_left.Columns];
            int[] all = [.. Enumerable.Range(0, _left.Columns)];
            foreach (int row in Rows(indices))
            {
                Decode(row, x, y);
                foreach (int column in _left.ByRow ? all : indices)
                {
                    int index = _left.ByRow ? row : column;

                    // Below the normal range the unit of rounding no longer shrinks with the number.
                    double expected = double.IsNaN(factors[index]) ? x[column] : factors[index] * x[column];
                    if (Math.Abs(y[column] - expected) <= tolerance * Math.Max(Math.Abs(expected), normal)) continue;
                    string at = _left.Tensor.Info.Shape.Length == 1 ? $"[{column}]" : $"[{row}, {column}]";
                    string line = _left.ByRow ? $"row {row}" : $"column {column}";
                    return $"tensor '{_left.Tensor.Info.Name}' at {at} is {y[column]:G6} where {line} of the first times {factors[index]:G6} has {expected:G6}";
                }
            }

            return null;
        }

        private IEnumerable<int> Rows(int[] indices) => _left.ByRow ? indices : Enumerable.Range(0, _left.Rows);

        private void Decode(int row, double[] x, double[] y)
        {
            Elements.Decode(_left.Dtype, _left.Row(row), x);
            Elements.Decode(_right.Dtype, _right.Row(row), y);
        }
    }
}

using System.Collections.Concurrent;
using Wisca.Numerics;

namespace Wisca.Transitions;

/// <summary>What slices measure with the factors that their tensors have got so far. Tensors are read again only where factors along the
/// other axis have changed.</summary>
internal sealed class SliceStatistics(ITensorSource source)
{
    private readonly ConcurrentDictionary<(string Tensor, int Axis, int Parts), (double[]? Others, AxisStatistics Statistics)> _measured =
        new();

    /// <summary>As the tensor is.</summary>
    public AxisStatistics Of(ScaledAxis slice) => Of(slice, null);

    /// <summary>As the tensor is with factors.</summary>
    public AxisStatistics Of(ScaledAxis slice, AxisFactors? factors)
    {
        var key = (slice.Tensor, slice.Axis, slice.Parts);
        double[]? others = factors?.Of(1 - slice.Axis);
        if (others is not null && Array.TrueForAll(others, factor => factor == 1)) others = null;
        if (!_measured.TryGetValue(key, out var entry) || !Same(entry.Others, others))
        {
            entry = (others is null ? null : [.. others], source.Measure(slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne, others));
            _measured[key] = entry;
        }

        return factors?.Of(slice.Axis) is { } own ? Scaled(entry.Statistics, own) : entry.Statistics;
    }

    private static bool Same(double[]? left, double[]? right) =>
        left is null || right is null ? left == right : left.AsSpan().SequenceEqual(right);

    private static AxisStatistics Scaled(AxisStatistics statistics, double[] factors)
    {
        return new AxisStatistics(
            Times(statistics.SumOfAbsolutes, 1), Times(statistics.SumOfSquares, 2), Times(statistics.SmallestNonzero, 1),
            Times(statistics.Largest, 1), statistics.ElementsPerIndex)
        {
            SumOfSecondMoments = statistics.SumOfSecondMoments is { } moments ? Times(moments, -2) : null,
        };

        double[] Times(double[] values, int power)
        {
            double[] scaled = new double[values.Length];
            for (int i = 0; i < scaled.Length; i++)
            {
                double factor = factors[i];
                scaled[i] = values[i] * (power == 1 ? factor : power == 2 ? factor * factor : 1 / (factor * factor));
            }

            return scaled;
        }
    }
}

using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Transitions;

/// <summary>Measures the sides of an exchange and solves for its factors.</summary>
public static class Balancer
{
    /// <summary>
    /// Finds the factor of each group: s = sqrt(n(W_2) / n(W_1)), the minimum of s n(W_1) + n(W_2) / s; for
    /// <see cref="Criterion.Fisher"/> s = sqrt(n(g_1) / n(g_2)), the minimum of the curvature's trace a / s^2 + b s^2.
    /// </summary>
    /// <param name="exchange">The compiled transition.</param>
    /// <param name="source">Where the tensors are.</param>
    /// <param name="statistics">The statistics of the exchange's weights, by tensor name.</param>
    /// <param name="options">Criterion, rounding and clamp.</param>
    /// <exception cref="WiscaException">The criterion needs second moments, and there are none.</exception>
    public static GroupBalance[] Solve(
        Exchange exchange, ITensorSource source, IReadOnlyDictionary<string, AxisStatistics> statistics, BalanceOptions options)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        double[] multiplied = Norms(exchange, source, statistics, options.Criterion, +1);
        double[] divided = Norms(exchange, source, statistics, options.Criterion, -1);
        bool powerOfTwo = options.Rounding == FactorRounding.PowerOfTwo
            || (options.Rounding == FactorRounding.Auto && exchange.Slices.Any(slice => source.DtypeOf(slice.Tensor).Bits() == 16));
        var balances = new GroupBalance[exchange.Groups.Length];
        for (int group = 0; group < balances.Length; group++)
            balances[group] = Solve(exchange.Groups[group], multiplied[group], divided[group], powerOfTwo, options);
        return balances;
    }

    /// <summary>The norms of one side of an exchange, a number for each group. Biases do not count.</summary>
    /// <param name="exchange">The compiled transition.</param>
    /// <param name="source">Where the tensors are; read only for <see cref="Criterion.Spectral"/>.</param>
    /// <param name="statistics">The statistics of the exchange's weights, by tensor name.</param>
    /// <param name="criterion">Which norm.</param>
    /// <param name="exponent">+1 for the side that is multiplied, -1 for the one that is divided.</param>
    public static double[] Norms(
        Exchange exchange, ITensorSource source, IReadOnlyDictionary<string, AxisStatistics> statistics, Criterion criterion, int exponent)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(statistics);
        var slice = exchange.Slices.Single(slice => slice.Exponent == exponent && !slice.IsBias);
        var measured = statistics[slice.Tensor];
        int groups = exchange.Groups.Length;
        int[] groupOfIndex = new int[measured.Largest.Length];
        Array.Fill(groupOfIndex, -1);
        double[] sums = new double[groups], counts = new double[groups];
        double[] terms = criterion switch
        {
            Criterion.L1 or Criterion.L1Mean => measured.SumOfAbsolutes,
            Criterion.Fisher => measured.SumOfSecondMoments
                ?? throw new WiscaException(
                    $"criterion fisher needs the second moments of the gradients of '{slice.Tensor}'",
                    "only an optimizer that keeps them has it (AdamW, in training)"),
            _ => measured.SumOfSquares,
        };
        foreach (var run in slice.Runs)
        {
            for (int i = 0; i < run.Count; i++)
            {
                int group = exchange.GroupOfChannel[run.Channel + i];
                groupOfIndex[run.Start + i] = group;
                sums[group] += terms[run.Start + i];
                counts[group] += measured.ElementsPerIndex;
            }
        }

        return criterion switch
        {
            Criterion.L1 => sums,
            Criterion.L1Mean => [.. sums.Zip(counts, (sum, count) => sum / count)],
            Criterion.L2 or Criterion.Fisher => [.. sums.Select(Math.Sqrt)],
            Criterion.Rms => [.. sums.Zip(counts, (sum, count) => Math.Sqrt(sum / count))],
            Criterion.Spectral => source.SpectralNorms(slice.Tensor, slice.Axis, groupOfIndex, groups),
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };
    }

    private static GroupBalance Solve(GroupLabel label, double multiplied, double divided, bool powerOfTwo, BalanceOptions options)
    {
        double maxLog2 = options.MaxLog2;
        if (multiplied == 0 || divided == 0)
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Skipped, "one side is all zeros");
        if (!double.IsFinite(multiplied) || !double.IsFinite(divided))
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Skipped, "a norm is beyond the range of float64");
        double square = options.Criterion == Criterion.Fisher ? multiplied / divided : divided / multiplied;
        double log2 = 0.5 * Math.Log2(square);
        if (powerOfTwo && options.Hysteresis > 0 && Math.Abs(log2) <= 0.5 * (1 + options.Hysteresis))
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Unchanged, null);
        double clamped = Math.Clamp(log2, -maxLog2, maxLog2);
        string? note = clamped == log2 ? null : $"factor 2^{log2:0.##} clamped to 2^{clamped:0.##}";
        double factor =
            powerOfTwo
                ? Math.ScaleB(1, (int)Math.Clamp(Math.Round(clamped, MidpointRounding.ToEven), Math.Ceiling(-maxLog2), Math.Floor(maxLog2)))
            : note is null ? Math.Sqrt(square)
            : Math.Pow(2, clamped);
        return new GroupBalance(label, multiplied, divided, factor, factor == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, note);
    }
}

using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Transitions;

/// <summary>Measures the sides of an exchange and solves for its factors.</summary>
public static class Balancer
{
    /// <summary>Solves all exchanges of a plan together.</summary>
    /// <param name="plan">The exchanges.</param>
    /// <param name="source">Where the tensors are.</param>
    /// <param name="options">Criterion, rounding and clamp.</param>
    /// <param name="lengthOf">The length of a tensor's axis: of columns, that of one matrix.</param>
    /// <exception cref="WiscaException">The criterion needs second moments, and there are none, or a tensor holds NaN or infinity.
    /// </exception>
    public static TransitionSolution Solve(
        TransitionPlan plan, ITensorSource source, BalanceOptions options, Func<string, int, int> lengthOf)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(lengthOf);
        var joint = new JointBalancer(
            plan with { Options = plan.Options with { Balance = options } }, source, new SliceStatistics(source), lengthOf);
        for (int component = 0; component < joint.Components; component++) joint.Solve(component);
        return joint.ToSolution() with { Plan = plan };
    }

    /// <summary>
    /// Finds the factor of each group: s = sqrt(n(W_2) / n(W_1)), the minimum of s n(W_1) + n(W_2) / s; for
    /// <see cref="Criterion.Fisher"/> s = sqrt(n(g_1) / n(g_2)), the minimum of the curvature's trace a / s^2 + b s^2. Where the other
    /// side is divided by s^m (m = 2 behind a squared activation), s is the minimum of s n(W_1) + n(W_2) / s^m, or of the same with
    /// squares for the norms that are roots of sums of squares.
    /// </summary>
    /// <param name="exchange">The compiled transition.</param>
    /// <param name="source">Where the tensors are.</param>
    /// <param name="statistics">The statistics of a slice's tensor along its axis.</param>
    /// <param name="options">Criterion, rounding and clamp.</param>
    /// <param name="sofar">For each group, the factor that its slices have had before they were measured, which the clamp counts in; null
    /// for none.</param>
    /// <exception cref="WiscaException">The criterion needs second moments, and there are none.</exception>
    public static GroupBalance[] Solve(
        Exchange exchange, ITensorSource source, Func<ScaledAxis, AxisStatistics> statistics, BalanceOptions options,
        IReadOnlyList<double>? sofar = null)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        double[] multiplied = Norms(exchange, source, statistics, options.Criterion, +1);
        double[] divided = Norms(exchange, source, statistics, options.Criterion, -1);
        int degree = exchange.Degree;
        bool powerOfTwo = options.Rounding == FactorRounding.PowerOfTwo
            || (options.Rounding == FactorRounding.Auto && exchange.Slices.Any(slice => source.DtypeOf(slice.Tensor).Bits() == 16));
        var balances = new GroupBalance[exchange.Groups.Length];
        for (int group = 0; group < balances.Length; group++)
        {
            balances[group] = Solve(
                exchange.Groups[group], multiplied[group], divided[group], degree, powerOfTwo, options, sofar?[group] ?? 1);
        }

        return balances;
    }

    /// <summary>
    /// The norms of one side of an exchange, a number for each group: of all its tensors together. Biases do not count, and a gain counts
    /// as if it had as many elements as its readers.
    /// </summary>
    /// <param name="exchange">The compiled transition.</param>
    /// <param name="source">Where the tensors are; read only for <see cref="Criterion.Spectral"/>.</param>
    /// <param name="statistics">The statistics of a slice's tensor along its axis.</param>
    /// <param name="criterion">Which norm.</param>
    /// <param name="exponent">+1 for the side that is multiplied, -1 for the one that is divided.</param>
    public static double[] Norms(
        Exchange exchange, ITensorSource source, Func<ScaledAxis, AxisStatistics> statistics, Criterion criterion, int exponent)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(statistics);
        int groups = exchange.Groups.Length;
        double[] sums = new double[groups], counts = new double[groups];
        foreach (var slice in exchange.Slices.Where(slice => Math.Sign(slice.Exponent) == exponent && !slice.IsBias))
        {
            var measured = statistics(slice);
            double weight = slice.IsGain ? FanIn(exchange, statistics) : 1;
            if (criterion == Criterion.Spectral)
            {
                int[] groupOfIndex = new int[measured.Largest.Length];
                Array.Fill(groupOfIndex, -1);
                foreach (var (index, group) in exchange.Indices(slice)) groupOfIndex[index] = group;

                // Of a gain, which has no singular values, the length.
                double[] squares = slice.IsGain
                    ? Sum(measured.SumOfSquares, slice)
                    : [.. source.SpectralNorms(slice.Tensor, slice.Axis, groupOfIndex, groups).Select(norm => norm * norm)];
                for (int group = 0; group < groups; group++) sums[group] += weight * squares[group];
                continue;
            }

            double[] terms = criterion switch
            {
                Criterion.L1 or Criterion.L1Mean => measured.SumOfAbsolutes,
                Criterion.Fisher => measured.SumOfSecondMoments
                    ?? throw new WiscaException(
                        $"criterion fisher needs the second moments of the gradients of '{slice.Tensor}'",
                        "only an optimizer that keeps them has it (AdamW, in training)"),
                _ => measured.SumOfSquares,
            };
            foreach (var (index, group) in exchange.Indices(slice))
            {
                sums[group] += weight * terms[index];
                counts[group] += weight * measured.ElementsPerIndex;
            }
        }

        return criterion switch
        {
            Criterion.L1 => sums,
            Criterion.L1Mean => [.. sums.Zip(counts, (sum, count) => sum / count)],
            Criterion.L2 or Criterion.Fisher or Criterion.Spectral => [.. sums.Select(Math.Sqrt)],
            Criterion.Rms => [.. sums.Zip(counts, (sum, count) => Math.Sqrt(sum / count))],
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };

        double[] Sum(double[] terms, ScaledAxis slice)
        {
            double[] sum = new double[groups];
            foreach (var (index, group) in exchange.Indices(slice)) sum[group] += terms[index];
            return sum;
        }
    }

    /// <summary>Number of elements that read behind one element of a gain.</summary>
    internal static double FanIn(Exchange exchange, Func<ScaledAxis, AxisStatistics> statistics) =>
        exchange.Slices.Where(slice => slice.Exponent < 0 && !slice.IsBias).Sum(slice =>
            statistics(slice).ElementsPerIndex * (double)slice.Runs.Sum(run => run.Count) / exchange.GroupOfChannel.Length);

    /// <summary>The m-th of both sides' degree: log2 of the factor that is best for norms of two sides.</summary>
    private static double Log2(double multiplied, double divided, int degree, Criterion criterion)
    {
        double ratio = criterion == Criterion.Fisher ? multiplied / divided : divided / multiplied;
        if (degree == 1) return 0.5 * Math.Log2(ratio);

        // A sum is minimised with m on it, a sum of squares with the root of m.
        double log2m = Math.Log2(degree) * (criterion is Criterion.L1 or Criterion.L1Mean ? 1 : 0.5);
        return (Math.Log2(ratio) + (criterion == Criterion.Fisher ? -log2m : log2m)) / (1 + degree);
    }

    private static GroupBalance Solve(
        GroupLabel label, double multiplied, double divided, int degree, bool powerOfTwo, BalanceOptions options, double sofar)
    {
        double maxLog2 = options.MaxLog2;
        if (multiplied == 0 || divided == 0)
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Skipped, "one side is all zeros");
        if (!double.IsFinite(multiplied) || !double.IsFinite(divided))
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Skipped, "a norm is beyond the range of float64");
        double log2 = Log2(multiplied, divided, degree, options.Criterion);
        if (powerOfTwo && options.Hysteresis > 0 && Math.Abs(log2) <= 0.5 * (1 + options.Hysteresis))
            return new GroupBalance(label, multiplied, divided, 1, GroupOutcome.Unchanged, null);
        double had = sofar == 1 ? 0 : Math.Log2(sofar);
        double clamped = Math.Abs(log2 + had) <= maxLog2 ? log2 : Math.Clamp(log2 + had, -maxLog2, maxLog2) - had;
        string? note = clamped == log2 ? null : $"factor 2^{log2:0.##} clamped to 2^{clamped:0.##}";
        double factor =
            powerOfTwo
                ? Math.ScaleB(
                    1,
                    (int)Math.Clamp(
                        Math.Round(clamped, MidpointRounding.ToEven), Math.Ceiling(-maxLog2) - had, Math.Floor(maxLog2) - had))
            : note is null && degree == 1
                ? Math.Sqrt(options.Criterion == Criterion.Fisher ? multiplied / divided : divided / multiplied)
            : Math.Pow(2, clamped);
        return new GroupBalance(label, multiplied, divided, factor, factor == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, note);
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Measures a checkpoint and finds the factors of a plan. Reads the tensors that take part, writes nothing.</summary>
internal sealed class Solver(IWeightFolder checkpoint, TransitionPlan plan, LossPolicy policy)
{
    private readonly CheckpointTensorSource _source = new(checkpoint);
    private readonly Dictionary<string, AxisStatistics> _statistics = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _losses = new(StringComparer.Ordinal);

    /// <summary>What was measured, by tensor name.</summary>
    public IReadOnlyDictionary<string, AxisStatistics> Statistics => _statistics;

    /// <summary>For each tensor, the number of elements that lose bits; only where they are counted beforehand.</summary>
    public IReadOnlyDictionary<string, long> Losses => _losses;

    public TransitionSolution Solve(int threads, ProgressCounter progress, CancellationToken cancellation)
    {
        Measure(threads, progress, cancellation);
        var balances = new ImmutableArray<GroupBalance>[plan.Exchanges.Length];
        Workers.Run(
            [.. Enumerable.Range(0, balances.Length)],
            threads,
            index =>
            {
                var solved = Balancer.Solve(plan.Exchanges[index], _source, _statistics, plan.Options.Balance);
                CheckRange(plan.Exchanges[index], solved);
                if (policy != LossPolicy.Scale) CheckLosses(plan.Exchanges[index], solved);
                balances[index] = [.. solved];
            },
            cancellation);
        return new TransitionSolution(plan, [.. balances]);
    }

    private void Measure(int threads, ProgressCounter progress, CancellationToken cancellation)
    {
        var tensors = plan.Exchanges.SelectMany(exchange => exchange.Slices).DistinctBy(slice => slice.Tensor)
            .Select(slice => (slice.Tensor, slice.Axis, Stored: checkpoint.Find(slice.Tensor)!))
            .OrderBy(entry => entry.Stored.File.FullPath, StringComparer.Ordinal).ThenBy(entry => entry.Stored.Info.Begin).ToList();
        var measured = new ConcurrentDictionary<string, AxisStatistics>(StringComparer.Ordinal);
        Workers.Run(
            tensors,
            threads,
            entry =>
            {
                measured[entry.Tensor] = _source.Measure(entry.Tensor, entry.Axis);
                progress.Add(entry.Stored.Info.ByteLength);
            },
            cancellation);
        foreach (var (tensor, statistics) in measured) _statistics.Add(tensor, statistics);
    }

    /// <summary>Keeps every element finite: a factor that would make one overflow is clamped, and where nothing is left of it, its
    /// group is skipped.</summary>
    private void CheckRange(Exchange exchange, GroupBalance[] balances)
    {
        double[] most = new double[balances.Length], least = new double[balances.Length];
        string[] reasons = new string[balances.Length];
        Array.Fill(most, double.PositiveInfinity);
        foreach (var slice in exchange.Slices)
        {
            var dtype = checkpoint.Find(slice.Tensor)!.Info.Dtype;
            var statistics = _statistics[slice.Tensor];
            foreach (var (index, group) in Indices(exchange, slice))
            {
                double bound = Elements.MaxFinite(dtype) / statistics.Largest[index];
                if (slice.Exponent > 0 ? bound >= most[group] : 1 / bound <= least[group]) continue;
                if (slice.Exponent > 0) most[group] = bound;
                else least[group] = 1 / bound;
                double factor = balances[group].Factor;
                if (slice.Exponent > 0 ? factor > bound : factor < 1 / bound) reasons[group] = $"{slice.Tensor} would overflow {dtype}";
            }
        }

        for (int group = 0; group < balances.Length; group++)
        {
            var balance = balances[group];
            double factor = balance.Factor;
            if (balance.Outcome != GroupOutcome.Scaled || (factor <= most[group] && factor >= least[group])) continue;
            bool powerOfTwo = Elements.IsPowerOfTwo(factor);
            double clamped = factor > most[group]
                ? powerOfTwo ? Math.ScaleB(1, Math.ILogB(most[group])) : Math.BitDecrement(most[group])
                : powerOfTwo ? Math.ScaleB(1, -Math.ILogB(1 / least[group])) : Math.BitIncrement(least[group]);
            balances[group] = clamped == 1
                ? Skip(balance, reasons[group])
                : balance with
                {
                    Factor = clamped,
                    Note = $"factor 2^{Math.Log2(factor):0.##} clamped to 2^{Math.Log2(clamped):0.##}: {reasons[group]}",
                };
        }
    }

    /// <summary>Counts the elements that a power of two would cost bits, and skips their groups if that is asked for.</summary>
    private void CheckLosses(Exchange exchange, GroupBalance[] balances)
    {
        foreach (var slice in exchange.Slices)
        {
            var matrix = new MatrixView(checkpoint.Find(slice.Tensor)!, slice.Axis);
            var statistics = _statistics[slice.Tensor];
            double[] suspects = new double[matrix.Length];
            Array.Fill(suspects, 1);
            foreach (var (index, group) in Indices(exchange, slice))
            {
                double factor = slice.Exponent > 0 ? balances[group].Factor : 1 / balances[group].Factor;
                if (Elements.IsPowerOfTwo(factor) && LossScan.MayRound(matrix, statistics, index, factor)) suspects[index] = factor;
            }

            if (Array.TrueForAll(suspects, factor => factor == 1)) continue;
            long[] lost = LossScan.Count(matrix, suspects);
            if (policy == LossPolicy.ScaleAndCount)
            {
                _losses.AddOrUpdate(slice.Tensor, lost.Sum(), (_, sum) => sum + lost.Sum());
                continue;
            }

            long[] lostInGroup = new long[balances.Length];
            foreach (var (index, group) in Indices(exchange, slice)) lostInGroup[group] += lost[index];
            for (int group = 0; group < balances.Length; group++)
            {
                if (lostInGroup[group] > 0 && balances[group].Outcome == GroupOutcome.Scaled)
                    balances[group] = Skip(
                        balances[group],
                        $"{lostInGroup[group]} {(lostInGroup[group] == 1 ? "element" : "elements")} of {slice.Tensor} would lose bits in "
                        + $"{matrix.Dtype}");
            }
        }
    }

    private static GroupBalance Skip(GroupBalance balance, string reason) =>
        balance with
        {
            Factor = 1,
            Outcome = GroupOutcome.Skipped,
            Note = reason,
        };

    private static IEnumerable<(int Index, int Group)> Indices(Exchange exchange, ScaledAxis slice) =>
        from run in slice.Runs from i in Enumerable.Range(0, run.Count) select (run.Start + i, exchange.GroupOfChannel[run.Channel + i]);
}

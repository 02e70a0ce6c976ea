using System.Collections.Concurrent;
using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Measures a checkpoint and finds the factors of a plan. Reads the tensors that take part, writes nothing.</summary>
internal sealed class Solver(IWeightFolder checkpoint, TransitionPlan plan, bool allowLossy)
{
    private readonly CheckpointTensorSource _source = new(checkpoint);
    private readonly Dictionary<string, AxisStatistics> _statistics = new(StringComparer.Ordinal);

    /// <summary>What was measured, by tensor name.</summary>
    public IReadOnlyDictionary<string, AxisStatistics> Statistics => _statistics;

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
                Check(plan.Exchanges[index], solved);
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

    /// <summary>Skips the groups that a factor would take out of the stored type's range.</summary>
    private void Check(Exchange exchange, GroupBalance[] balances)
    {
        foreach (var slice in exchange.Slices)
        {
            var matrix = new MatrixView(checkpoint.Find(slice.Tensor)!, slice.Axis);
            var statistics = _statistics[slice.Tensor];
            double[] suspects = new double[matrix.Length];
            Array.Fill(suspects, 1);
            foreach (var (index, group) in Indices(exchange, slice))
            {
                var balance = balances[group];
                if (balance.Outcome != GroupOutcome.Scaled) continue;
                double factor = slice.Exponent > 0 ? balance.Factor : 1 / balance.Factor;
                bool powerOfTwo = Elements.IsPowerOfTwo(factor);
                if (LossScan.Overflows(matrix, statistics, index, factor))
                {
                    if (!(powerOfTwo && allowLossy)) balances[group] = Skip(balance, $"{slice.Tensor} would overflow {matrix.Dtype}");
                }
                else if (powerOfTwo && !allowLossy && LossScan.MayRound(matrix, statistics, index, factor)) suspects[index] = factor;
            }

            if (Array.TrueForAll(suspects, factor => factor == 1)) continue;
            long[] lost = LossScan.Count(matrix, suspects);
            long[] lostInGroup = new long[balances.Length];
            foreach (var (index, group) in Indices(exchange, slice)) lostInGroup[group] += lost[index];
            for (int group = 0; group < balances.Length; group++)
            {
                if (lostInGroup[group] > 0 && balances[group].Outcome == GroupOutcome.Scaled)
                    balances[group] = Skip(
                        balances[group],
                        $"{lostInGroup[group]} {(lostInGroup[group] == 1 ? "element" : "elements")} of {slice.Tensor} would lose bits in "
                        + $"{matrix.Dtype} (--allow-lossy scales it all the same)");
            }
        }

        static GroupBalance Skip(GroupBalance balance, string reason) =>
            balance with
            {
                Factor = 1,
                Outcome = GroupOutcome.Skipped,
                Note = reason,
            };
    }

    private static IEnumerable<(int Index, int Group)> Indices(Exchange exchange, ScaledAxis slice) =>
        from run in slice.Runs from i in Enumerable.Range(0, run.Count) select (run.Start + i, exchange.GroupOfChannel[run.Channel + i]);
}

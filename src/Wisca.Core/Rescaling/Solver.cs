using System.Collections.Concurrent;
using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Measures a checkpoint and finds the factors of a plan. Reads the tensors that take part, writes nothing.</summary>
internal sealed class Solver
{
    private readonly IWeightFolder _checkpoint;
    private readonly TransitionPlan _plan;
    private readonly LossPolicy _policy;
    private readonly CheckpointTensorSource _source;
    private readonly SliceStatistics _statistics;
    private readonly ConcurrentDictionary<string, long> _losses = new(StringComparer.Ordinal);

    public Solver(IWeightFolder checkpoint, TransitionPlan plan, LossPolicy policy)
    {
        (_checkpoint, _plan, _policy) = (checkpoint, plan, policy);
        _source = new CheckpointTensorSource(checkpoint);
        _statistics = new SliceStatistics(_source);
    }

    /// <summary>What a slice's tensor measures as it is stored.</summary>
    public AxisStatistics Statistics(ScaledAxis slice) => _statistics.Of(slice);

    /// <summary>For each tensor, the number of elements that lose bits; only where they are counted beforehand.</summary>
    public IReadOnlyDictionary<string, long> Losses => _losses;

    public TransitionSolution Solve(int threads, ProgressCounter progress, CancellationToken cancellation)
    {
        Measure(threads, progress, cancellation);
        var joint = new JointBalancer(_plan, _source, _statistics, LengthOf);
        Workers.Run(
            [.. Enumerable.Range(0, joint.Components)], threads, component => joint.Solve(component, CheckRange), cancellation);
        var solution = joint.ToSolution();
        return _policy == LossPolicy.Scale ? solution : CheckLosses(solution, threads, cancellation);
    }

    private int LengthOf(string tensor, int axis) => new MatrixView(_checkpoint.Find(tensor)!, axis).Length;

    private void Measure(int threads, ProgressCounter progress, CancellationToken cancellation)
    {
        // A tensor that is measured along both axes counts once for the progress.
        var slices = _plan.Exchanges.SelectMany(exchange => exchange.Slices)
            .DistinctBy(slice => (slice.Tensor, slice.Axis, slice.Parts))
            .Select(slice => (Slice: slice, Stored: _checkpoint.Find(slice.Tensor)!))
            .OrderBy(entry => entry.Stored.File.FullPath, StringComparer.Ordinal).ThenBy(entry => entry.Stored.Info.Begin).ToList();
        var counted = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        Workers.Run(
            slices,
            threads,
            entry =>
            {
                _statistics.Of(entry.Slice);
                if (counted.TryAdd(entry.Slice.Tensor, true)) progress.Add(entry.Stored.Info.ByteLength);
            },
            cancellation);
    }

    /// <summary>Keeps every element finite: a factor that would make one overflow is clamped, and where nothing is left of it, its
    /// group is skipped.</summary>
    private void CheckRange(Exchange exchange, GroupBalance[] balances, Func<ScaledAxis, AxisStatistics> measured)
    {
        double[] most = new double[balances.Length], least = new double[balances.Length];
        string[] reasons = new string[balances.Length];
        Array.Fill(most, double.PositiveInfinity);
        foreach (var slice in exchange.Slices)
        {
            var dtype = _checkpoint.Find(slice.Tensor)!.Info.Dtype;
            var statistics = measured(slice);
            foreach (var (index, group) in exchange.Indices(slice))
            {
                double bound = Elements.MaxFinite(dtype) / statistics.Largest[index];
                if (slice.Exponent < -1) bound = Math.Pow(bound, -1.0 / slice.Exponent);
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

    /// <summary>
    /// Counts the elements that powers of two would cost bits, and skips their groups if that is asked for: again and again, since what is
    /// left of a tensor's factors may cost others.
    /// </summary>
    private TransitionSolution CheckLosses(TransitionSolution solution, int threads, CancellationToken cancellation)
    {
        var balances = solution.Balances.Select(groups => groups.ToArray()).ToArray();
        while (true)
        {
            var current = solution with { Balances = [.. balances.Select(groups => (ImmutableArray<GroupBalance>)[.. groups])] };
            var lost = new ConcurrentDictionary<(string Tensor, int Axis, int Index), long>();
            Workers.Run(
                [.. current.Factors(LengthOf).Where(entry => entry.Value.All(Elements.IsPowerOfTwo) && MayRound(entry.Key, entry.Value))],
                threads, entry => Find(entry.Key, entry.Value, lost), cancellation);
            if (_policy == LossPolicy.ScaleAndCount)
            {
                foreach (var tensor in lost.Where(entry => entry.Key.Axis < 0)) _losses[tensor.Key.Tensor] = tensor.Value;
                return current;
            }

            if (lost.IsEmpty || !SkipLossy(balances, lost)) return current;
        }
    }

    /// <summary>True where an index's least element might fall below the normal range.</summary>
    private bool MayRound(string tensor, AxisFactors factors)
    {
        if (factors.AddsOne || (factors.Rows is not null && factors.Columns is not null)) return true;
        int axis = factors.Rows is null ? 1 : 0;
        var matrix = new MatrixView(_checkpoint.Find(tensor)!, axis);
        double[] along = factors.Of(axis)!;
        var statistics = _statistics.Of(new ScaledAxis(tensor, axis, 1, false, []) { Parts = along.Length / matrix.Length });
        return Enumerable.Range(0, along.Length).Any(index => LossScan.MayRound(matrix, statistics, index, along[index]));
    }

    /// <summary>Counts the lost elements of a tensor: in all (axis -1), and for each index whose factor makes them smaller.</summary>
    private void Find(string tensor, AxisFactors factors, ConcurrentDictionary<(string Tensor, int Axis, int Index), long> lost)
    {
        var matrix = new MatrixView(_checkpoint.Find(tensor)!, 0);
        bool vector = matrix.Tensor.Info.Shape.Length == 1;
        int parts = factors.Columns is { } columns ? columns.Length / matrix.Columns : 1;
        LossScan.Find(matrix, factors, (row, column) =>
        {
            Add(-1, 0);
            int own = vector ? column : row, across = (row / (matrix.Rows / parts) * matrix.Columns) + column;
            if (factors.Rows is { } rows && (rows[own] < 1 || (factors.AddsOne && rows[own] != 1))) Add(0, own);
            if (factors.Columns is { } all && all[across] < 1) Add(1, across);
        });

        void Add(int axis, int index) => lost.AddOrUpdate((tensor, axis, index), 1, (_, count) => count + 1);
    }

    private bool SkipLossy(GroupBalance[][] balances, ConcurrentDictionary<(string Tensor, int Axis, int Index), long> lost)
    {
        bool skipped = false;
        for (int index = 0; index < balances.Length; index++)
        {
            var exchange = _plan.Exchanges[index];
            foreach (var slice in exchange.Slices)
            {
                long[] lostInGroup = new long[balances[index].Length];
                foreach (var (at, group) in exchange.Indices(slice))
                    lostInGroup[group] += lost.GetValueOrDefault((slice.Tensor, slice.Axis, at));
                for (int group = 0; group < lostInGroup.Length; group++)
                {
                    if (lostInGroup[group] == 0 || balances[index][group].Outcome != GroupOutcome.Scaled) continue;
                    skipped = true;
                    balances[index][group] = Skip(
                        balances[index][group],
                        $"{lostInGroup[group]} {(lostInGroup[group] == 1 ? "element" : "elements")} of {slice.Tensor} would lose bits in "
                        + $"{_checkpoint.Find(slice.Tensor)!.Info.Dtype}");
                }
            }
        }

        return skipped;
    }

    private static GroupBalance Skip(GroupBalance balance, string reason) =>
        balance with
        {
            Factor = 1,
            Outcome = GroupOutcome.Skipped,
            Note = reason,
        };
}

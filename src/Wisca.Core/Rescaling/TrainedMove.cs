using System.Collections.Immutable;
using System.IO.Hashing;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>
/// The ledger of a model that was rescaled while it trained: one move by the product of all factors. Undoing it expresses the trained
/// function in the gauge that the training began in.
/// </summary>
public static class TrainedMove
{
    /// <summary>Writes <c>wisca.json</c> beside the weights of a checkpoint; nothing where no factor differs from 1.</summary>
    /// <param name="folder">The model folder, complete but for the ledger.</param>
    /// <param name="plan">The transitions.</param>
    /// <param name="product">For each exchange of the plan and each of its groups, the product of its factors.</param>
    /// <param name="history">The moves that were made before the training.</param>
    /// <exception cref="WiscaException">The folder is not a model with the plan's tensors.</exception>
    public static void Write(string folder, TransitionPlan plan, ImmutableArray<ImmutableArray<double>> product, IReadOnlyList<LedgerMove>? history = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(plan);
        using var checkpoint = Checkpoint.Open(folder);
        var source = new CheckpointTensorSource(checkpoint);
        var statistics = plan.Exchanges.SelectMany(exchange => exchange.Slices).Where(slice => !slice.IsBias).DistinctBy(slice => slice.Tensor)
            .ToDictionary(slice => slice.Tensor, slice => source.Measure(slice.Tensor, slice.Axis), StringComparer.Ordinal);

        // Second moments are not stored with the weights: their norms stand in.
        var options = plan.Options.Balance;
        var criterion = options.Criterion == Criterion.Fisher ? Criterion.L2 : options.Criterion;
        var groups = new List<LedgerGroup>();
        var balances = ImmutableArray.CreateBuilder<ImmutableArray<GroupBalance>>();
        foreach (var (exchange, factors) in plan.Exchanges.Zip(product))
        {
            double[] multiplied = Balancer.Norms(exchange, source, statistics, criterion, +1), divided = Balancer.Norms(exchange, source, statistics, criterion, -1);
            for (int group = 0; group < factors.Length; group++)
            {
                double s = factors[group];
                groups.Add(new LedgerGroup(
                    exchange.Layer,
                    exchange.Kind,
                    exchange.Granularity,
                    s,
                    s == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled,
                    [multiplied[group] / s, divided[group] * s],
                    [multiplied[group], divided[group]],
                    [.. exchange.Slices.Select(slice => new LedgerSlice(slice.Tensor, slice.Axis, slice.Exponent, exchange.Describe(slice, group)))],
                    exchange.Groups[group].KvHead,
                    exchange.Groups[group].Channel));
            }

            balances.Add([.. factors.Select((s, group) => new GroupBalance(exchange.Groups[group], multiplied[group], divided[group], s, GroupOutcome.Scaled, null))]);
        }

        var scaled = new TransitionSolution(plan, balances.ToImmutable()).Factors((tensor, axis) => new MatrixView(checkpoint.Find(tensor)!, axis).Length);
        if (scaled.Count == 0 && history is not { Count: > 0 }) return;
        var digests = new SortedDictionary<string, TensorDigests>(scaled.ToDictionary(entry => entry.Key, entry => Digests(checkpoint.Find(entry.Key)!, entry.Value)), StringComparer.Ordinal);

        // No files are listed: a checkpoint of a training is not an output that --force may replace.
        new Ledger(Ledger.CurrentVersion, [.. history ?? [], new LedgerMove(options.Criterion, options.Rounding, options.MaxLog2, groups, digests, [])], []).Save(folder);
    }

    /// <summary>Digests of a tensor as it would be without the factors, computed as undoing computes it, and as it is.</summary>
    private static TensorDigests Digests(StoredTensor tensor, AxisFactors factors)
    {
        var matrix = new MatrixView(tensor, factors.Axis);
        double[] inverse = Array.ConvertAll(factors.Factors, factor => 1 / factor);
        bool powersOfTwo = Array.TrueForAll(inverse, Elements.IsPowerOfTwo);
        var before = new XxHash128();
        byte[] row = new byte[matrix.RowBytes];
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int index = 0; index < rows.Count; index++)
            {
                Elements.Scale(matrix.Dtype, rows.Row(index), row, matrix.ByRow ? inverse.AsSpan(rows.First + index, 1) : inverse, powersOfTwo);
                before.Append(row);
            }
        }

        return new TensorDigests(CheckpointRewriter.Hex(before), Ledger.Digest(tensor));
    }
}

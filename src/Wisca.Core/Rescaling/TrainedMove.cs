using System.Collections.Immutable;
using System.IO.Hashing;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>
/// The ledger of a model that is rescaled while it trains: one move by the product of all factors so far. Undoing it expresses the trained
/// function in the gauge that the training began in.
/// </summary>
public static class TrainedMove
{
    /// <summary>Writes <c>wisca.json</c> beside the weights of a checkpoint; nothing where there is nothing to tell.</summary>
    /// <param name="folder">The model folder, complete but for the ledger.</param>
    /// <param name="plan">The transitions; null for a training without.</param>
    /// <param name="product">For each exchange of the plan and each of its groups, the product of its factors.</param>
    /// <param name="history">The moves that were made before.</param>
    /// <exception cref="WiscaException">The folder is not a model with the plan's tensors.</exception>
    public static void Write(
        string folder, TransitionPlan? plan, ImmutableArray<ImmutableArray<double>> product, IReadOnlyList<LedgerMove> history)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(history);
        bool moved = plan is not null && product.Any(factors => factors.Any(factor => factor != 1));

        // No files are listed: a checkpoint of a training is not an output that --force may replace.
        if (moved || history.Count > 0)
            new Ledger(Ledger.CurrentVersion, moved ? [.. history, Create(folder, plan!, product)] : history, []).Save(folder);
    }

    /// <summary>Splits the ledger of a checkpoint for a training that goes on from it.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="plan">The transitions of the training that goes on; null for none.</param>
    /// <returns>The moves that are history, and the product of factors that goes on; null where it begins anew.</returns>
    /// <exception cref="WiscaException">The ledger is broken.</exception>
    public static (IReadOnlyList<LedgerMove> History, ImmutableArray<ImmutableArray<double>>? Product) Continue(
        string folder,
        TransitionPlan? plan)
    {
        var moves = Ledger.Load(folder)?.Moves ?? [];
        if (plan is null || moves is not [.., { InTraining: true } last]) return (moves, null);
        var groups = plan.Exchanges.SelectMany(
            exchange => exchange.Groups,
            (exchange, label) => (exchange.Layer, exchange.Kind, exchange.Granularity, label.KvHead, label.Channel));
        if (
            !last
                .Groups.Select(group => (group.Layer, group.Transition, group.Granularity, group.KvHead, group.Channel))
                .SequenceEqual(groups))
            return (moves, null);
        var factors = new Queue<double>(last.Groups.Select(group => group.Factor));
        return (
            [.. moves.SkipLast(1)],
            [.. plan.Exchanges.Select(exchange => exchange.Groups.Select(_ => factors.Dequeue()).ToImmutableArray())]);
    }

    private static LedgerMove Create(string folder, TransitionPlan plan, ImmutableArray<ImmutableArray<double>> product)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var source = new CheckpointTensorSource(checkpoint);
        var statistics = plan
            .Exchanges.SelectMany(exchange => exchange.Slices)
            .Where(slice => !slice.IsBias)
            .DistinctBy(slice => slice.Tensor)
            .ToDictionary(slice => slice.Tensor, slice => source.Measure(slice.Tensor, slice.Axis), StringComparer.Ordinal);

        // Second moments are not stored with the weights: their norms stand in.
        var options = plan.Options.Balance;
        var criterion = options.Criterion == Criterion.Fisher ? Criterion.L2 : options.Criterion;
        var groups = new List<LedgerGroup>();
        var balances = ImmutableArray.CreateBuilder<ImmutableArray<GroupBalance>>();
        foreach (var (exchange, factors) in plan.Exchanges.Zip(product))
        {
            double[] multiplied = Balancer.Norms(exchange, source, statistics, criterion, +1),
                divided = Balancer.Norms(exchange, source, statistics, criterion, -1);
            balances.Add([
                .. factors.Select(
                    (s, group) =>
                        new GroupBalance(
                            exchange.Groups[group], multiplied[group] / s, divided[group] * s, s,
                            s == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, null)),
            ]);
            groups.AddRange(
                balances[^1].Select((balance, group) => LedgerGroup.Of(exchange, group, balance, [multiplied[group], divided[group]])));
        }

        var scaled = new TransitionSolution(plan, balances.ToImmutable()).Factors(
            (tensor, axis) => new MatrixView(checkpoint.Find(tensor)!, axis).Length);
        var digests = new SortedDictionary<string, TensorDigests>(
            scaled.ToDictionary(entry => entry.Key, entry => Digests(checkpoint.Find(entry.Key)!, entry.Value)),
            StringComparer.Ordinal);
        return new LedgerMove(options.Criterion, options.Rounding, options.MaxLog2, groups, digests, [], InTraining: true);
    }

    /// <summary>Digests of a tensor as it would be without the factors, computed as undoing computes it, and as it is.</summary>
    public static TensorDigests Digests(StoredTensor tensor, AxisFactors factors)
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
                Elements.Scale(
                    matrix.Dtype, rows.Row(index), row, matrix.ByRow ? inverse.AsSpan(rows.First + index, 1) : inverse, powersOfTwo);
                before.Append(row);
            }
        }

        return new TensorDigests(CheckpointRewriter.Hex(before), Ledger.Digest(tensor));
    }
}

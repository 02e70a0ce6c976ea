using System.Collections.Immutable;
using System.IO.Hashing;
using Wisca.Checkpoints;
using Wisca.Rotations;
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
    /// <param name="rotations">The spaces that were rotated, each with the product of its rotations, and, where it is not orthogonal, its
    /// inverse, transposed; null for none.</param>
    /// <param name="files">The files of the rotations in the history (<see cref="ReadFiles"/>); null where there were none.</param>
    /// <exception cref="WiscaException">The folder is not a model with the plan's tensors.</exception>
    public static void Write(
        string folder, TransitionPlan? plan, ImmutableArray<ImmutableArray<double>> product, IReadOnlyList<LedgerMove> history,
        IReadOnlyList<(RotatedSpace Space, double[,] Total, double[,]? Dual)>? rotations = null,
        IReadOnlyDictionary<string, byte[]>? files = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(history);
        var moves = history.ToList();
        foreach (var (file, content) in files ?? new Dictionary<string, byte[]>()) File.WriteAllBytes(Path.Combine(folder, file), content);
        if (plan is not null && product.Any(factors => factors.Any(factor => factor != 1))) moves.Add(Create(folder, plan, product));
        if (rotations is { Count: > 0 }) moves.Add(Rotated(folder, RotationFile.NameFor(moves), rotations));

        // No files are listed: a checkpoint of a training is not an output that --force may replace.
        if (moves.Count > 0) new Ledger(Ledger.CurrentVersion, moves, []).Save(folder);
    }

    /// <summary>
    /// Reads what moves keep in files beside their ledger: a training goes on telling of them when the folder it came from is gone.
    /// </summary>
    /// <param name="folder">The folder of the ledger.</param>
    /// <param name="history">The moves.</param>
    /// <exception cref="WiscaException">A file is missing.</exception>
    public static IReadOnlyDictionary<string, byte[]> ReadFiles(string folder, IReadOnlyList<LedgerMove> history) =>
        RotationFile.NamesIn(history).ToDictionary(
            name => name, name => File.ReadAllBytes(RotationFile.Find(folder, name).FullName), StringComparer.Ordinal);

    /// <summary>
    /// All rotations of a space as one. What its gains were at first is no longer known once they are trained: they go back as gains
    /// follow, which is as exact.
    /// </summary>
    private static LedgerMove Rotated(
        string folder, string file, IReadOnlyList<(RotatedSpace Space, double[,] Total, double[,]? Dual)> rotations)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var plan = new TurnPlan(checkpoint);
        var turns = new List<SpaceTurn>();
        var biases = new Dictionary<string, (double[] Before, double[] After)>(StringComparer.Ordinal);
        var moved = new List<LedgerRotation>();
        foreach (var (trained, total, dual) in rotations)
        {
            // A tied matrix is a parameter under one name, and may be stored under another.
            var space = trained with { Slices = [.. trained.Slices.Where(slice => checkpoint.Find(slice.Tensor) is not null)] };
            var inverse = new SpaceTurn(space, total, new Dictionary<string, (double[], double[])>(), dual).Inverse();
            var back = SpaceTurn.Of(space, inverse.Matrix, plan.Gain, GainPolicy.Follow, inverse.Dual);
            back = back with
            {
                Gains = space.Gains.ToDictionary(
                    gain => gain.Tensor,
                    gain => (back.Gains[gain.Tensor].Before, plan.Rounded(gain, back.Gains[gain.Tensor].After)), StringComparer.Ordinal),
            };
            foreach (var (bias, values) in plan.Add(back)) biases[bias] = (values.After, values.Before);
            turns.Add(back.Inverse());
            moved.Add(new LedgerRotation(space.Name, space.Kind, space.Size, file, [.. space.Slices], [.. space.Gains]));
        }

        RotationFile.Write(Path.Combine(folder, file), turns, biases);
        var tensors = new SortedDictionary<string, TensorDigests>(StringComparer.Ordinal);
        foreach (string name in plan.Edits().Keys)
        {
            // What the bytes would have been, nobody ever saw.
            string digest = Ledger.Digest(checkpoint.Find(name)!);
            tensors.Add(name, new TensorDigests(digest, digest));
        }

        return new LedgerMove(default, FactorRounding.None, 0, [], tensors, [], InTraining: true, Rotations: moved);
    }

    /// <summary>Splits the ledger of a checkpoint for a training that goes on from it.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="plan">The transitions of the training that goes on; null for none.</param>
    /// <param name="rotationsContinue">True where the product of its rotations goes on too: then its last one is no history.</param>
    /// <returns>The moves that are history, and the product of factors that goes on; null where it begins anew.</returns>
    /// <exception cref="WiscaException">The ledger is broken.</exception>
    public static (IReadOnlyList<LedgerMove> History, ImmutableArray<ImmutableArray<double>>? Product) Continue(
        string folder, TransitionPlan? plan, bool rotationsContinue = false)
    {
        var moves = Ledger.Load(folder)?.Moves ?? [];
        if (rotationsContinue && moves is [.., { InTraining: true, Rotations: not null }]) moves = [.. moves.SkipLast(1)];
        if (plan is null || moves is not [.., { InTraining: true, Rotations: null } last]) return (moves, null);
        return LedgerGroup.Read(last.Groups, plan.Exchanges) is { } product ? ([.. moves.SkipLast(1)], product) : (moves, null);
    }

    private static LedgerMove Create(string folder, TransitionPlan plan, ImmutableArray<ImmutableArray<double>> product)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var source = new CheckpointTensorSource(checkpoint);
        var statistics = new SliceStatistics(source);

        // Second moments are not stored with the weights: their norms stand in.
        var options = plan.Options.Balance;
        var criterion = options.Criterion == Criterion.Fisher ? Criterion.L2 : options.Criterion;
        var groups = new List<LedgerGroup>();
        var balances = ImmutableArray.CreateBuilder<ImmutableArray<GroupBalance>>();
        foreach (var (exchange, factors) in plan.Exchanges.Zip(product))
        {
            double[] multiplied = Balancer.Norms(exchange, source, statistics.Of, criterion, +1),
                divided = Balancer.Norms(exchange, source, statistics.Of, criterion, -1);
            balances.Add([
                .. factors.Select(
                    (s, group) =>
                        new GroupBalance(
                            exchange.Groups[group], multiplied[group] / s, divided[group] * Math.Pow(s, exchange.Degree), s,
                            s == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, null)),
            ]);
            groups.AddRange(LedgerGroup.Of(exchange, balances[^1], (multiplied, divided), criterion));
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
        ArgumentNullException.ThrowIfNull(factors);
        var matrix = new MatrixView(tensor, 0);
        var back = new TensorScale(factors.Inverse());
        var before = new XxHash128();
        byte[] row = new byte[matrix.RowBytes];
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int index = 0; index < rows.Count; index++)
            {
                back.Apply(matrix, rows.First + index, rows.Row(index), row);
                before.Append(row);
            }
        }

        return new TensorDigests(CheckpointRewriter.Hex(before), Ledger.Digest(tensor));
    }
}

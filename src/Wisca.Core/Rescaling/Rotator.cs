using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rotations;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Rotates a checkpoint: moves it to an equivalent model in other bases of its residual stream and its heads.</summary>
public static class Rotator
{
    /// <summary>The most that a balanced basis may stretch or shrink a direction relative to the others, as log2.</summary>
    private const double MostLog2 = 6;

    /// <summary>What of a checkpoint may be rotated, its gains included, which only the weights can tell.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="layout">The same, resolved.</param>
    public static RotationPlan Plan(Checkpoint checkpoint, ModelLayout layout)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var plan = RotationPlan.Create(layout);
        var turns = new TurnPlan(checkpoint);
        var refused = plan.Spaces.Select(space => (Space: space, Obstacle: NormGains.Obstacle(space, turns.Gain)))
            .Where(entry => entry.Obstacle is not null).ToList();
        return refused.Count == 0
            ? plan
            : new RotationPlan(
                [.. plan.Spaces.Except(refused.Select(entry => entry.Space))],
                [.. plan.Refusals, .. refused.Select(entry => new RotationRefusal(entry.Space.Kind, [], entry.Obstacle!))]);
    }

    /// <summary>Rotates a checkpoint into a new folder, which appears when it is complete.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="output">The folder to write.</param>
    /// <param name="options">What to do.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">The model is not known or broken, what is asked for is not exact, or the output is not allowed.
    /// </exception>
    public static RotateResult Rotate(
        Checkpoint checkpoint,
        string output,
        RotateOptions options,
        bool force = false,
        ArchitectureTable? table = null,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(options);
        checkpoint.CheckNoAdapter("merge it first (wisca merge MODEL MODEL --out DIR), or move it with the model (--adapter)");
        return Rotate(checkpoint, output, options, force, table, progress, _ => { }, cancellation);
    }

    /// <summary>As the public one; told of the rotations before anything is written.</summary>
    internal static RotateResult Rotate(
        Checkpoint checkpoint, string output, RotateOptions options, bool force, ArchitectureTable? table,
        IProgress<RescaleProgress>? progress, Action<IReadOnlyList<SpaceTurn>> decided, CancellationToken cancellation)
    {
        var history = Ledger.Load(checkpoint.Folder)?.Moves ?? [];
        var layout = ModelLayout.Resolve(checkpoint, table);
        var plan = Plan(checkpoint, layout);
        int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        var turns = new TurnPlan(checkpoint);
        var spaces = Chosen(plan, options, layout.Layers.Length);
        using var folder = OutputFolder.Prepare(output, checkpoint, force);
        var bases = Bases(checkpoint, spaces, options, turns, threads, cancellation);
        var biases = new Dictionary<string, (double[] Before, double[] After)>(StringComparer.Ordinal);
        var done = new List<SpaceTurn>();
        foreach (var (space, basis) in spaces.Zip(bases))
        {
            var turn = SpaceTurn.Of(space, basis.Matrix, turns.Gain, options.Gains, basis.Dual);
            turn = turn with
            {
                Gains = space.Gains.ToDictionary(
                    gain => gain.Tensor,
                    gain => (turn.Gains[gain.Tensor].Before, turns.Rounded(gain, turn.Gains[gain.Tensor].After)),
                    StringComparer.Ordinal),
            };
            foreach (var (bias, values) in turns.Add(turn)) biases[bias] = values;
            done.Add(turn);
        }

        decided(done);
        var edits = turns.Edits();
        long bytes = checkpoint.Shards.Sum(shard => shard.Length);
        using var rewriter = new CheckpointRewriter(
            checkpoint, folder.Staging, edits.Keys.ToHashSet(StringComparer.Ordinal), new ProgressCounter(progress, bytes));
        rewriter.Write(_ => edits, threads, cancellation);
        string file = RotationFile.NameFor(history);
        RotationFile.Write(Path.Combine(folder.Staging, file), done, biases);
        var move = new LedgerMove(default, FactorRounding.None, 0, [], rewriter.Digests, [], Rotations:
        [
            .. spaces.Select(space => new LedgerRotation(space.Name, space.Kind, space.Size, file, [.. space.Slices], [.. space.Gains])),
        ]);
        var sideFiles = CheckpointCopy.Complete(
            checkpoint, folder, files => new Ledger(Ledger.CurrentVersion, [.. history, move], files), cancellation);
        var balanced = bases.Select(basis => basis.Imbalance).OfType<(double Before, double After)>().ToList();
        return new RotateResult([.. spaces], plan.Refusals, rewriter.Digests.Count, bytes, sideFiles)
        {
            Imbalance = balanced.Count > 0 ? (balanced.Average(entry => entry.Before), balanced.Average(entry => entry.After)) : null,
        };
    }

    private static List<RotatedSpace> Chosen(RotationPlan plan, RotateOptions options, int layers)
    {
        const string hint = "wisca inspect shows what is exact in this model";
        var covered = options.Layers.Resolve(layers);
        var spaces = new List<RotatedSpace>();
        if (options.Stream == BasisSource.Balanced)
            throw new WiscaException(
                "the residual stream has no balanced basis: only rotations keep its norms",
                "give weights, hadamard or random; --heads has balanced");
        if (options.Stream is not null)
        {
            spaces.Add(
                plan.Spaces.FirstOrDefault(space => space.Kind == RotationKind.Stream)
                ?? throw new WiscaException($"the residual stream is not rotated: {Reason(RotationKind.Stream)}", hint));
        }

        if (options.Heads is not null)
        {
            var heads = plan.Spaces.Where(space => space.Layer is { } layer && covered[layer]).ToList();
            if (heads.Count == 0) throw new WiscaException($"no head is rotated: {Reason(RotationKind.ValueOutput)}", hint);
            spaces.AddRange(heads);
        }

        return spaces.Count > 0
            ? spaces
            : throw new WiscaException("no rotation was asked for", "give --stream or --heads a basis");

        string Reason(RotationKind kind) => plan.Refusals.FirstOrDefault(refusal => refusal.Kind == kind)?.Reason ?? "nothing is exact";
    }

    private static Basis[] Bases(
        Checkpoint checkpoint, List<RotatedSpace> spaces, RotateOptions options, TurnPlan turns, int threads,
        CancellationToken cancellation)
    {
        // All threads work on the stream, whose basis is a large matrix; then each on a head.
        var bases = new Basis[spaces.Count];
        int[] heads = [.. Enumerable.Range(0, spaces.Count).Where(index => spaces[index].Kind != RotationKind.Stream)];
        foreach (int index in Enumerable.Range(0, spaces.Count).Except(heads)) Find(index, threads);
        Workers.Run(heads, threads, index => Find(index, 1), cancellation);
        return bases;

        void Find(int index, int own)
        {
            var space = spaces[index];
            ulong seed = unchecked(options.Seed + ((ulong)index * 0x9E37_79B9_7F4A_7C15));
            bases[index] = (space.Kind == RotationKind.Stream ? options.Stream : options.Heads) switch
            {
                BasisSource.Hadamard => new Basis(OrthogonalMatrix.Hadamard(space.Size, seed, space.KeepsOnes)),
                BasisSource.Random => new Basis(OrthogonalMatrix.Random(space.Size, seed, space.KeepsOnes, own)),
                BasisSource.Balanced => Balanced(checkpoint, space),
                _ => new Basis(RotationBasis.Of(Covariance(checkpoint, space, turns, own, cancellation), space.KeepsOnes, own)),
            };
        }
    }

    /// <summary>The matrix between the two sides of a head that makes their products with themselves equal.</summary>
    private static Basis Balanced(Checkpoint checkpoint, RotatedSpace space)
    {
        double[,] first = Side(dual: false), second = Side(dual: true);
        double before = GeneralBalance.Imbalance(first, second);
        if (GeneralBalance.Solve(first, second, MostLog2) is not { } balance)
            return new Basis(OrthogonalMatrix.Identity(space.Size)) { Imbalance = (before, before) };
        double[,] m = balance.Transform, inverse = balance.Inverse;
        return new Basis(m, inverse)
        {
            Imbalance = (
                before,
                GeneralBalance.Imbalance(
                    GeneralBalance.Product(GeneralBalance.Product(m, first), m),
                    GeneralBalance.Product(GeneralBalance.Product(inverse, second), inverse))),
        };

        double[,] Side(bool dual)
        {
            int n = space.Size;
            double[] sum = new double[n * n];
            foreach (var slice in space.Slices.Where(slice => slice.Dual == dual && slice.Role != SliceRole.Bias))
                MatrixProduct.AddMultiple(sum, Gram(checkpoint.Find(slice.Tensor)!, slice, n, 1), 1);
            double[,] side = new double[n, n];
            Buffer.BlockCopy(sum, 0, side, 0, sum.Length * sizeof(double));
            return Array.TrueForAll(sum, double.IsFinite)
                ? side
                : throw new WiscaException(
                    $"tensor '{space.Slices.First(slice => slice.Dual == dual).Tensor}' holds NaN or infinity",
                    "such a model cannot be balanced");
        }
    }

    /// <summary>
    /// What the weights that lie in a space have in common: the sum of their Gram matrices along it, each normalised by its trace, so that
    /// no tensor counts more for being larger. Readers count as they see the normalised stream, with the gain before them.
    /// </summary>
    private static double[,] Covariance(
        Checkpoint checkpoint, RotatedSpace space, TurnPlan turns, int threads, CancellationToken cancellation)
    {
        int n = space.Size;
        double[] sum = new double[n * n];
        var gains = space.Gains.ToDictionary(gain => gain.Tensor, turns.Gain, StringComparer.Ordinal);
        foreach (var slice in space.Slices.Where(slice => slice.Role != SliceRole.Bias))
        {
            cancellation.ThrowIfCancellationRequested();
            double[] gram = Gram(checkpoint.Find(slice.Tensor)!, slice, n, threads);
            if (slice.Gain is { } name)
            {
                double[] gain = gains[name];
                for (int i = 0; i < gram.Length; i++) gram[i] *= gain[i / n] * gain[i % n];
            }

            double trace = Enumerable.Range(0, n).Sum(i => gram[i * (n + 1)]);
            if (!double.IsFinite(trace))
                throw new WiscaException($"tensor '{slice.Tensor}' holds NaN or infinity", "such a model cannot be rotated");
            if (trace > 0) MatrixProduct.AddMultiple(sum, gram, 1 / trace);
        }

        double[,] covariance = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++) covariance[i, j] = (sum[(i * n) + j] + sum[(j * n) + i]) / 2;
        }

        return covariance;
    }

    /// <summary>The products of a slice's indices with each other, summed over all else, row block by row block.</summary>
    private static double[] Gram(StoredTensor tensor, RotatedSlice slice, int n, int threads)
    {
        const int most = 1 << 20;
        var matrix = new MatrixView(tensor, slice.Axis);
        var shape = tensor.Info.Shape;
        double[] gram = new double[n * n], row = new double[matrix.Columns];
        using var reader = new RowReader(matrix);
        if (slice.Axis == shape.Length - 1)
        {
            // X^T X of rows X.
            int atOnce = Math.Clamp(most / n, 1, matrix.Rows);
            double[] transposed = new double[n * atOnce], rows = new double[atOnce * n];
            for (int first = 0; first < matrix.Rows; first += atOnce)
            {
                int count = Math.Min(atOnce, matrix.Rows - first);
                for (int index = 0; index < count; index++)
                {
                    reader.Decode(first + index, row);
                    row.AsSpan(slice.Start, n).CopyTo(rows.AsSpan(index * n));
                    for (int k = 0; k < n; k++) transposed[(k * count) + index] = row[slice.Start + k];
                }

                Add(new(transposed, n, count), new(rows, count, n));
            }

            return Whole(gram);
        }

        // X X^T of the slice's rows X, for each of what lies before the axis.
        int length = (int)shape[slice.Axis], columns = matrix.Columns;
        double[] own = new double[n * columns], turned = new double[columns * n];
        for (int block = 0; block < matrix.Rows / length; block++)
        {
            for (int index = 0; index < n; index++)
            {
                reader.Decode((block * length) + slice.Start + index, own.AsSpan(index * columns, columns));
                for (int k = 0; k < columns; k++) turned[(k * n) + index] = own[(index * columns) + k];
            }

            Add(new(own, n, columns), new(turned, columns, n));
        }

        return Whole(gram);

        void Add(MatrixPart a, MatrixPart b) => MatrixProduct.Add(a, b, new(gram, n, n), threads, upperOnly: true);

        double[] Whole(double[] upper)
        {
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < i; j++) upper[(i * n) + j] = upper[(j * n) + i];
            }

            return upper;
        }
    }

    /// <summary>The basis of a space.</summary>
    /// <param name="Matrix">R.</param>
    /// <param name="Dual">R^-T where R is not orthogonal.</param>
    private sealed record Basis(double[,] Matrix, double[,]? Dual = null)
    {
        /// <summary>How far the sides of a head were from balance, and are.</summary>
        public (double Before, double After)? Imbalance { get; init; }
    }
}

using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>Takes the moves of a ledger back.</summary>
public static class Undoer
{
    /// <summary>Writes a checkpoint in the gauge that it had before its ledger's first move.</summary>
    /// <param name="checkpoint">A model with a ledger.</param>
    /// <param name="output">The folder to write; it appears when it is complete.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">There is no ledger, nothing to undo, or the ledger does not fit the weights.</exception>
    public static UndoResult Undo(
        Checkpoint checkpoint,
        string output,
        bool force = false,
        int threads = 0,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        checkpoint.CheckNoAdapter(
            "move the adapter's files to a folder of their own; wisca express --for original then makes them fit the undone model");
        return Undo(checkpoint, forOriginal: false, output, force, threads, progress, cancellation);
    }

    /// <summary>As the public one, of any folder of weights.</summary>
    internal static UndoResult Undo(
        IWeightFolder checkpoint, bool forOriginal, string output, bool force, int threads, IProgress<RescaleProgress>? progress,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(output);
        var ledger = Ledger.Load(checkpoint.Folder)
            ?? throw new WiscaException(
                $"{checkpoint.Folder} has no {Ledger.FileName}",
                forOriginal
                    ? "an adapter that others trained on a rescaled base is taken back with 'wisca express --for original'"
                    : "only a model that wisca rescaled can be undone");
        if (!ledger.Moves.Any(move => move.IsMove))
            throw new WiscaException(
                $"{Ledger.FileName} holds no move: there is nothing to undo",
                "the weights are already in their original gauge");
        var turned = Turned(checkpoint, ledger.Moves);
        var factors = Factors(checkpoint, ledger.Moves, turned.Keys);
        var trained = Trained(checkpoint, ledger);
        foreach (string tensor in trained.Where(factors.ContainsKey))
            CheckTrained(checkpoint, tensor, factors[tensor]);
        Lazy<Dictionary<string, AxisFactors>>[] factorsBefore =
        [
            .. Enumerable.Range(0, ledger.Moves.Count)
                .Select(move => new Lazy<Dictionary<string, AxisFactors>>(() => Factors(checkpoint, [.. ledger.Moves.Take(move)]))),
        ];
        var scales = factors.ToDictionary(
            entry => entry.Key,
            entry =>
                (TensorEdit)
                    new TensorScale(
                        entry.Value.Inverse(),
                        Restored: trained.Contains(entry.Key) ? null
                            : entry.Value.AddsOne ? () => StepByStep(checkpoint, checkpoint.Find(entry.Key)!, ledger)
                            : () => Restored(checkpoint.Find(entry.Key)!, ledger, factorsBefore)),
            StringComparer.Ordinal);
        foreach (var (tensor, edit) in turned) scales.Add(tensor, edit);
        using var folder = OutputFolder.Prepare(output, checkpoint, force);
        var counter = new ProgressCounter(progress, checkpoint.Shards.Sum(shard => shard.Length));
        using var rewriter = new CheckpointRewriter(checkpoint, folder.Staging, scales.Keys.ToHashSet(StringComparer.Ordinal), counter);
        rewriter.Write(_ => scales, threads > 0 ? threads : Environment.ProcessorCount, cancellation);
        var sideFiles = CheckpointCopy.Complete(
            checkpoint,
            folder,
            files => new Ledger(Ledger.CurrentVersion, [], files, forOriginal),
            cancellation);

        var original = OriginalDigests(ledger);
        var digests = rewriter.Digests;
        ImmutableArray<string> exact =
        [
            .. digests.Keys.Where(tensor => !trained.Contains(tensor) && digests[tensor].After == original[tensor]),
        ];
        return new UndoResult(
            ledger.Moves.Count(move => move.IsMove),
            exact,
            [.. digests.Keys.Where(tensor => !exact.Contains(tensor) && !trained.Contains(tensor))],
            [.. digests.Keys.Where(trained.Contains)],
            sideFiles);
    }

    /// <summary>For each tensor, the product of the moves' factors along its axes.</summary>
    /// <param name="checkpoint">The folder of the weights.</param>
    /// <param name="moves">The moves.</param>
    /// <param name="except">Tensors that are left out; null for none.</param>
    internal static Dictionary<string, AxisFactors> Factors(
        IWeightFolder checkpoint, IReadOnlyList<LedgerMove> moves, ICollection<string>? except = null)
    {
        const string hint = "the ledger and the weights do not belong together";
        var product = new FactorProduct((tensor, axis) => new MatrixView(checkpoint.Find(tensor)!, axis).Length);
        foreach (var group in moves.SelectMany(move => move.Groups).Where(group => group.Moves))
        {
            foreach (var slice in group.Slices.Where(slice => except?.Contains(slice.Tensor) != true))
            {
                double[] along = Along(slice.Tensor, slice.Axis, slice.Parts ?? 1, slice.AddsOne);
                int length = new MatrixView(checkpoint.Find(slice.Tensor)!, slice.Axis).Length * (slice.Parts ?? 1);
                if (slice.Highest() >= length)
                    throw new WiscaException(
                        $"{Ledger.FileName}: indices '{slice.Indices}' of '{slice.Tensor}' do not fit its shape",
                        hint);
                int position = 0;
                foreach (int index in slice.Enumerate())
                {
                    double power = slice.Power(group.FactorAt(position++));
                    for (int at = index; at < along.Length; at += length) along[at] *= power;
                }
            }
        }

        foreach (var vector in moves.SelectMany(move => move.Vectors ?? []))
        {
            double[] along = Along(vector.Tensor, 0, 1, false);
            double[] elements = vector.Decode();
            if (elements.Length != along.Length)
                throw new WiscaException($"{Ledger.FileName}: {elements.Length} factors of '{vector.Tensor}' do not fit its shape", hint);
            for (int index = 0; index < elements.Length; index++) along[index] *= elements[index];
        }

        // A tensor that a move names stays named, even where factors of several moves cancel.
        return product.Touched();

        double[] Along(string tensor, int axis, int parts, bool addsOne)
        {
            var stored =
                checkpoint.Find(tensor)
                ?? throw new WiscaException($"{Ledger.FileName} names tensor '{tensor}', which the checkpoint does not have", hint);
            if (
                !stored.Info.Dtype.IsRescalable() || stored.Info.Shape.Length is not (1 or 2 or 3) || axis >= stored.Info.Shape.Length
                || (parts > 1 && (axis != 1 || stored.Info.Shape[0] % parts != 0)))
                throw new WiscaException(
                    $"{Ledger.FileName}: '{tensor}' is scaled along axis {axis}, but it is {stored.Info.Dtype} of shape "
                    + $"{stored.Info.ShapeText}",
                    hint);
            return product.Along(tensor, axis, parts, addsOne);
        }
    }

    /// <summary>
    /// What becomes of the tensors that some move rotated: everything that happened to them is taken back, the last first, in one pass in
    /// float64. A gain that is as a rotation left it becomes what it was; one that was trained since goes back as gains follow.
    /// </summary>
    private static Dictionary<string, TensorEdit> Turned(IWeightFolder checkpoint, IReadOnlyList<LedgerMove> moves)
    {
        var rotations = moves.SelectMany(move => move.Rotations ?? []).ToList();
        if (rotations.Count == 0) return [];
        var plan = new TurnPlan(checkpoint);
        HashSet<string> ofNorms =
        [
            .. rotations.SelectMany(rotation => rotation.Gains).Where(plan.Holds).SelectMany(gain => new[] { gain.Tensor, gain.Bias })
                .OfType<string>(),
        ];
        HashSet<string> tensors = [.. rotations.SelectMany(rotation => rotation.Slices).Select(slice => slice.Tensor), .. ofNorms];
        foreach (var move in moves.Reverse())
        {
            var rest = move with
            {
                Groups =
                [
                    .. move.Groups.Select(group =>
                        group with { Slices = [.. group.Slices.Where(slice => tensors.Contains(slice.Tensor))] }),
                ],
                Vectors = [.. (move.Vectors ?? []).Where(vector => tensors.Contains(vector.Tensor))],
            };
            foreach (var (tensor, factors) in Factors(checkpoint, [rest])) plan.Scale(tensor, factors.Inverse(), ofNorms.Contains(tensor));
            foreach (var rotation in (move.Rotations ?? []).Reverse())
            {
                var (turn, biases) = RotationFile.Read(checkpoint.Folder, rotation);
                var back = turn.Inverse();
                back = back with
                {
                    Gains = rotation.Gains.ToDictionary(
                        gain => gain.Tensor,
                        gain =>
                        {
                            if (!plan.Holds(gain)) return back.Gains[gain.Tensor];
                            double[] now = plan.Gain(gain);
                            var (left, was) = back.Gains[gain.Tensor];
                            return gain.MustBeUniform ? (now, now)
                                : IsAsLeft(now, left, checkpoint.Find(gain.Tensor)!.Info.Dtype) ? (now, was)
                                : (now, plan.Rounded(gain, NormGains.Follow(now, back.Matrix)));
                        },
                        StringComparer.Ordinal),
                };
                plan.Add(
                    back,
                    biases.Where(entry => plan.Vector(entry.Key).AsSpan().SequenceEqual(entry.Value.After))
                        .ToDictionary(entry => entry.Key, entry => entry.Value.Before, StringComparer.Ordinal));
            }
        }

        return plan.Edits();
    }

    /// <summary>True for a gain as a rotation left it, but for the rounding of factors that it had since and that were taken back.
    /// </summary>
    private static bool IsAsLeft(double[] now, double[] left, Dtype dtype)
    {
        double unit = Math.ScaleB(4, -dtype.SignificandBits());
        return now.Zip(left).All(pair => Math.Abs(pair.First - pair.Second) <= unit * Math.Max(1e-3, Math.Abs(pair.Second)));
    }

    private static Dictionary<string, string> OriginalDigests(Ledger ledger)
    {
        var original = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (tensor, digests) in ledger.Moves.SelectMany(move => move.Tensors)) original.TryAdd(tensor, digests.Before);
        return original;
    }

    /// <summary>The tensors whose bytes changed between two moves, after the last, or while they were moved.</summary>
    private static HashSet<string> Trained(IWeightFolder checkpoint, Ledger ledger)
    {
        var trained = ledger
            .Moves.Where(move => move.InTraining || !move.IsMove)
            .SelectMany(move => move.Tensors.Keys)
            .ToHashSet(StringComparer.Ordinal);
        var latest = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (tensor, digests) in ledger.Moves.SelectMany(move => move.Tensors))
        {
            if (latest.TryGetValue(tensor, out string? last) && last != digests.Before) trained.Add(tensor);
            latest[tensor] = digests.After;
        }

        foreach (var (tensor, digest) in latest)
        {
            if (checkpoint.Find(tensor) is { } stored && Ledger.Digest(stored) != digest) trained.Add(tensor);
        }

        return trained;
    }

    /// <summary>What wisca wrote itself is finite and was in range before; of trained weights neither is known.</summary>
    private static void CheckTrained(IWeightFolder checkpoint, string tensor, AxisFactors factors)
    {
        var back = factors.Inverse();
        var matrix = new MatrixView(checkpoint.Find(tensor)!, 0);
        if (LossScan.FirstOverflow(checkpoint, tensor, back) is { } index)
            throw new WiscaException(
                $"tensor '{tensor}' was trained since, and at index {index} it would overflow {matrix.Dtype} in its original gauge",
                "convert the model to BF16 or F32 first");
    }

    /// <summary>
    /// A gain of 1 plus what is stored as it was before the first move: taken back move by move, since each one rounded it, and each
    /// kept the bits of what its own rounding hides.
    /// </summary>
    private static Restoration StepByStep(IWeightFolder checkpoint, StoredTensor stored, Ledger ledger)
    {
        var matrix = new MatrixView(stored, 0);
        int size = stored.Info.Dtype.Bits() / 8;
        byte[] bytes = stored.Bytes(0, (int)stored.Info.ByteLength);
        foreach (var move in ledger.Moves.Reverse())
        {
            if (Factors(checkpoint, [Only(move, stored.Info.Name)]).GetValueOrDefault(stored.Info.Name) is not { } factors) continue;
            new TensorScale(factors.Inverse()).Apply(matrix, 0, [.. bytes], bytes);
            foreach (var lost in move.Lost.Where(lost => lost.Tensor == stored.Info.Name))
            {
                var (indices, bits) = lost.Decode(size, stored.Info.ElementCount);
                new Restoration(indices, bits).Apply(bytes, 0);
            }
        }

        return new Restoration([.. Enumerable.Range(0, bytes.Length / size).Select(index => (long)index)], bytes);
    }

    /// <summary>A move as if it had moved one tensor alone.</summary>
    private static LedgerMove Only(LedgerMove move, string tensor) => move with
    {
        Groups = [.. move.Groups.Select(group => group with { Slices = [.. group.Slices.Where(slice => slice.Tensor == tensor)] })],
        Vectors = null,
    };

    /// <summary>The original bits of a tensor's lost elements:
    /// those that the first move to lose them kept, taken back over the moves before it.</summary>
    private static Restoration? Restored(
        StoredTensor stored, Ledger ledger, Lazy<Dictionary<string, AxisFactors>>[] factorsBefore)
    {
        int size = stored.Info.Dtype.Bits() / 8;
        var kept = new List<(long[] Indices, byte[] Bits)>();
        for (int move = 0; move < ledger.Moves.Count; move++)
        {
            foreach (var lost in ledger.Moves[move].Lost.Where(lost => lost.Tensor == stored.Info.Name))
            {
                var (indices, bits) = lost.Decode(size, stored.Info.ElementCount);
                if (factorsBefore[move].Value.TryGetValue(stored.Info.Name, out var earlier))
                {
                    var matrix = new MatrixView(stored, 0);
                    var scale = new TensorScale(earlier.Inverse());
                    for (int i = 0; i < indices.Length; i++)
                    {
                        var element = bits.AsSpan(i * size, size);
                        var ofRow = scale.Of(matrix, (int)(indices[i] / matrix.Columns));
                        double back = ofRow[ofRow.Length == 1 ? 0 : (int)(indices[i] % matrix.Columns)];
                        Elements.Scale(stored.Info.Dtype, element, element, [back], Elements.IsPowerOfTwo(back));
                    }
                }

                kept.Add((indices, bits));
            }
        }

        if (kept.Count == 0) return null;
        if (kept is [var only]) return new Restoration(only.Indices, only.Bits);
        var first = kept.SelectMany((entry, move) => entry.Indices.Select((index, at) => (index, move, at)))
            .GroupBy(entry => entry.index).Select(entries => entries.First()).OrderBy(entry => entry.index).ToList();
        return new Restoration(
            [.. first.Select(entry => entry.index)],
            [.. first.SelectMany(entry => kept[entry.move].Bits.AsSpan(entry.at * size, size).ToArray())]);
    }
}

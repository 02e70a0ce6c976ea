using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>Moves adapters together with their bases, and from one gauge of a base to another.</summary>
public static class AdapterRescaler
{
    /// <summary>Rescales a base and moves its adapter with it, so that the adapter fits the rescaled base.
    /// The balance is the base's.</summary>
    /// <param name="binding">The adapter and its base.</param>
    /// <param name="output">Where the base goes; it appears when it is complete.</param>
    /// <param name="adapterOutput">Where the adapter goes, likewise.</param>
    /// <param name="options">What to do to the base.</param>
    /// <param name="force">True to replace existing folders that wisca wrote.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">As for <see cref="Rescaler"/>, or the adapter is for the base in another gauge.</exception>
    public static RescaleResult Rescale(
        AdapterBinding binding,
        string output,
        string adapterOutput,
        RescaleOptions options,
        bool force = false,
        ArchitectureTable? table = null,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(binding);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(adapterOutput);
        ArgumentNullException.ThrowIfNull(options);
        Check(binding, output, adapterOutput);
        var history = Ledger.Load(binding.Adapter.Folder);
        using var folder = OutputFolder.Prepare(adapterOutput, binding.Adapter, force, other: binding.Checkpoint);
        AdapterMove? move = null;
        var result = Rescaler.Rescale(
            binding.Checkpoint,
            output,
            options,
            force,
            table,
            progress,
            solution => move = new AdapterMove(
                binding,
                solution.Factors((tensor, axis) => new MatrixView(binding.Checkpoint.Find(tensor)!, axis).Length),
                baseIsMoved: false),
            cancellation);
        move!.Write(folder, history?.Moves ?? [], [result.Move!], forOriginal: false, options.Threads, cancellation);
        return result;
    }

    /// <summary>Rotates a base and its adapter with it, so that the adapter fits the rotated base.</summary>
    /// <param name="binding">The adapter and its base.</param>
    /// <param name="output">Where the base goes; it appears when it is complete.</param>
    /// <param name="adapterOutput">Where the adapter goes, likewise.</param>
    /// <param name="options">What to do to the base.</param>
    /// <param name="force">True to replace existing folders that wisca wrote.</param>
    /// <param name="table">An architecture table of the user's own; null to find the built-in one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">As for <see cref="Rotator"/>; the adapter is for the base in another gauge, or has something that
    /// cannot follow: magnitudes of outputs that are rotated, a norm of its own, a head that the base lacks.</exception>
    public static RotateResult Rotate(
        AdapterBinding binding,
        string output,
        string adapterOutput,
        RotateOptions options,
        bool force = false,
        ArchitectureTable? table = null,
        IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(binding);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(adapterOutput);
        ArgumentNullException.ThrowIfNull(options);
        Check(binding, output, adapterOutput);
        var history = Ledger.Load(binding.Adapter.Folder);
        using var folder = OutputFolder.Prepare(adapterOutput, binding.Adapter, force, other: binding.Checkpoint);
        AdapterTurn? turn = null;
        var result = Rotator.Rotate(
            binding.Checkpoint, output, options, force, table, progress, turns => turn = new AdapterTurn(binding, turns), cancellation);
        turn!.Write(
            folder, history?.Moves ?? [], options.Threads > 0 ? options.Threads : Environment.ProcessorCount, cancellation);
        return result;
    }

    /// <summary>Expresses an adapter for the other of two equivalent bases:
    /// for the original one it can be published with the public checkpoint.</summary>
    /// <param name="binding">The adapter, and the rescaled base, whose ledger tells the factors.</param>
    /// <param name="target">Which of the two bases the result is for.</param>
    /// <param name="output">The folder to write; it appears when it is complete.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">The base has no ledger,
    /// the adapter is expressed so already, or the output is not allowed.</exception>
    public static Ledger Express(
        AdapterBinding binding, AdapterGauge target, string output, bool force = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(binding);
        ArgumentNullException.ThrowIfNull(output);
        binding.CheckWholeBase();
        var (adapter, checkpoint) = (binding.Adapter, binding.Checkpoint);
        var ledger = Ledger.Load(checkpoint.Folder);
        if (ledger?.Moves.Any(move => move.IsMove) != true)
            throw new WiscaException(
                $"{checkpoint.Folder} has no {Ledger.FileName} that tells of a rescaling",
                "give the rescaled base as --base");
        if (ledger.Moves.Any(move => move.Rotations is not null))
            throw new WiscaException(
                $"{checkpoint.Folder} was rotated: an adapter goes with a rotation (wisca rotate --adapter) or back from it (wisca undo)",
                "rotate the original model once more, with the adapter; or undo the rotation, and merge the adapter into that");
        var own = Ledger.Load(adapter.Folder);
        var moves = own?.Moves ?? [];
        bool isMoved = moves.Any(move => move.IsMove);
        if (target == AdapterGauge.Rescaled ? isMoved : own?.ForOriginal == true)
            throw new WiscaException(
                $"{adapter.Folder} is expressed for the {(target == AdapterGauge.Rescaled ? "rescaled" : "original")} base already",
                "there is nothing to do");
        if (isMoved) binding.CheckGauge();

        // An adapter with a ledger goes back over its own moves only: it may have been made for a base that was rescaled before.
        IReadOnlyList<LedgerMove> taken =
        [
            .. ledger
                .Moves.Where(move => move.IsMove)
                .TakeLast(isMoved ? moves.Count(move => move.IsMove) : int.MaxValue),
        ];
        bool back = target == AdapterGauge.Original;
        var factors = Undoer.Factors(checkpoint, taken)
            .ToDictionary(
                entry => entry.Key,
                entry => back ? entry.Value.Inverse() : entry.Value,
                StringComparer.Ordinal);
        using var folder = OutputFolder.Prepare(output, adapter, force, other: checkpoint);
        return new AdapterMove(binding, factors, baseIsMoved: !back).Write(
            folder, back ? [] : moves, back ? [] : taken, forOriginal: back, Environment.ProcessorCount, cancellation);
    }

    /// <summary>Writes an adapter in the gauge of the original base: as it was before its ledger's first move.</summary>
    /// <param name="adapter">An adapter with a ledger.</param>
    /// <param name="output">The folder to write; it appears when it is complete.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">There is no ledger, nothing to undo, or the ledger does not fit the weights.</exception>
    public static UndoResult Undo(
        Adapter adapter, string output, bool force = false, int threads = 0, IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        return Undoer.Undo(adapter, forOriginal: true, output, force, threads, progress, cancellation);
    }

    private static void Check(AdapterBinding binding, string output, string adapterOutput)
    {
        if (
            Path.TrimEndingDirectorySeparator(Path.GetFullPath(output))
            == Path.TrimEndingDirectorySeparator(Path.GetFullPath(adapterOutput)))
            throw new WiscaException($"base and adapter would both be written to {output}", "give --adapter-out another folder");
        if (binding.Adapter.Folder != binding.Checkpoint.Folder)
            binding.Checkpoint.CheckNoAdapter("move that one away, or merge it first (wisca merge MODEL MODEL --out DIR)");
        binding.CheckWholeBase();
        binding.CheckGauge();
    }
}

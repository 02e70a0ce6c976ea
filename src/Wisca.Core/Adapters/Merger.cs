using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>Writes a model with an adapter merged into its weights.</summary>
public static class Merger
{
    /// <summary>
    /// Merges: every adapted matrix becomes W + scale B A (DoRA: each output's row brought to its magnitude), computed in float64 and
    /// rounded once into the base's type; what the adapter stores whole replaces the base's. Shards are streamed.
    /// </summary>
    /// <param name="binding">The adapter and its base.</param>
    /// <param name="output">The folder to write; it appears when it is complete.</param>
    /// <param name="force">True to replace an existing folder that wisca wrote.</param>
    /// <param name="threads">Number of threads; 0 for all processors.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">The adapter is for the base in another gauge,
    /// a number does not fit the base's type, or the output is not allowed.</exception>
    public static MergeResult Merge(
        AdapterBinding binding, string output, bool force = false, int threads = 0, IProgress<RescaleProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(binding);
        ArgumentNullException.ThrowIfNull(output);
        binding.CheckWholeBase();
        binding.CheckGauge();
        var checkpoint = binding.Checkpoint;
        var history = Ledger.Load(checkpoint.Folder);
        var edits = binding.Modules.Select(bound => (bound.Weight.Info.Name, Edit: (TensorEdit)new MergeEdit(bound)))
            .Concat(binding.Saved.Select(pair => (pair.Base.Info.Name, Edit: (TensorEdit)new ReplaceEdit(pair.Tensor)))).ToList();
        if (edits.GroupBy(entry => entry.Name).FirstOrDefault(entries => entries.Count() > 1) is { Key: var twice })
            throw new WiscaException($"{binding.Adapter.Folder} changes '{twice}' twice", "the adapter is broken");
        using var folder = OutputFolder.Prepare(output, checkpoint, force, other: binding.Adapter);
        long bytes = checkpoint.Shards.Sum(shard => shard.Length);
        using var rewriter = new CheckpointRewriter(
            checkpoint,
            folder.Staging,
            edits.Select(entry => entry.Name).ToHashSet(StringComparer.Ordinal),
            new ProgressCounter(progress, bytes));
        rewriter.Write(
            _ => edits.ToDictionary(entry => entry.Name, entry => entry.Edit, StringComparer.Ordinal),
            threads > 0 ? threads : Environment.ProcessorCount,
            cancellation);

        // Moves of the base still lead back to its original gauge; what was merged counts as trained there.
        var sideFiles = CheckpointCopy.Complete(
            checkpoint,
            folder,
            files => new Ledger(Ledger.CurrentVersion, [.. history?.Moves ?? [], LedgerMove.Edited(rewriter.Digests)], files),
            cancellation);
        return new MergeResult(binding.Modules.Length, binding.Saved.Length, bytes, sideFiles);
    }
}

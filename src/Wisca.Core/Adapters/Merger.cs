using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>Writes a model with an adapter merged into its weights.</summary>
public static class Merger
{
    /// <summary>
    /// Merges: every adapted matrix becomes W + scale B A (DoRA: each output's row brought to its magnitude), computed in float64 and
    /// rounded once into the base's type; what the adapter stores whole replaces the base's. An output projection that is tied to the
    /// embedding becomes a matrix of its own where the adapter changes only one of them. Shards are streamed.
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
        binding.CheckWholeBase(merging: true);
        binding.CheckGauge();
        MergedConfig.Check(binding);
        var checkpoint = binding.Checkpoint;
        var history = Ledger.Load(checkpoint.Folder);
        var edits = Edits(binding);
        var appended = Appended(binding);
        using var folder = OutputFolder.Prepare(output, checkpoint, force, other: binding.Adapter);
        long bytes = checkpoint.Shards.Sum(shard => shard.Length) + appended.Sum(tensor => tensor.Model.Info.ByteLength);
        using var rewriter = new CheckpointRewriter(
            checkpoint, folder.Staging, edits.Keys.ToHashSet(StringComparer.Ordinal), new ProgressCounter(progress, bytes), appended);
        rewriter.Write(_ => edits, threads > 0 ? threads : Environment.ProcessorCount, cancellation);

        // Moves of the base still lead back to its original gauge; what was merged counts as trained there.
        var sideFiles = CheckpointCopy.Complete(
            checkpoint,
            folder,
            files => new Ledger(Ledger.CurrentVersion, [.. history?.Moves ?? [], LedgerMove.Edited(rewriter.Digests)], files),
            cancellation,
            MergedConfig.Rewritten(binding, appended));
        return new MergeResult(
            binding.Modules.Length + (binding.UntiedHead?.Module is null ? 0 : 1),
            binding.Saved.Length + binding.Tokens.Length + binding.NewHeads.Length,
            bytes,
            sideFiles);
    }

    /// <summary>What becomes of the base's tensors.</summary>
    private static Dictionary<string, TensorEdit> Edits(AdapterBinding binding)
    {
        var edits = new Dictionary<string, TensorEdit>(StringComparer.Ordinal);
        foreach (var modules in binding.Modules.GroupBy(bound => bound.Weight.Info.Name))
        {
            var stack = modules.Where(bound => bound.Slab is not null).ToList();
            if (stack.Count > 0)
                Add(modules.Key, new StackEdit(stack.ToDictionary(bound => bound.Slab!.Value, bound => new MergeEdit(bound))));
            else foreach (var bound in modules) Add(modules.Key, new MergeEdit(bound));
        }

        var biases = binding.Modules.Where(bound => bound.Bias is not null).ToList();
        foreach (var bound in biases)
        {
            var stored = binding.Saved.FirstOrDefault(pair => pair.Base == bound.Bias).Tensor;
            Add(bound.Bias!.Info.Name, new BiasEdit(bound.Module, stored));
        }

        foreach (var (tensor, replaced) in binding.Saved)
        {
            if (!biases.Any(bound => bound.Bias == replaced)) Add(replaced.Info.Name, new ReplaceEdit(tensor));
        }

        foreach (var (tokens, table) in binding.Tokens) Add(table.Info.Name, new TokenEdit(tokens, null));
        if (binding.UntiedHead is { Stored: { } head } untied) Add(head.Info.Name, untied.Edit);
        return edits;

        void Add(string name, TensorEdit edit)
        {
            if (!edits.TryAdd(name, edit))
                throw new WiscaException($"{binding.Adapter.Folder} changes '{name}' twice", "the adapter is broken");
        }
    }

    /// <summary>What the base does not store and the merged model does.</summary>
    private static List<AppendedTensor> Appended(AdapterBinding binding)
    {
        List<AppendedTensor> appended = [.. binding.NewHeads.Select(head => new AppendedTensor(head.Name, head.Tensor, new CopyEdit()))];
        if (binding.UntiedHead is { Stored: null } untied) appended.Add(new AppendedTensor(untied.Name, untied.Embedding, untied.Edit));
        return appended;
    }
}

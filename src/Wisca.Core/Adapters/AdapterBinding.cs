using System.Globalization;
using System.Collections.Immutable;
using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>An adapter with the base that it fits.</summary>
public sealed class AdapterBinding
{
    internal AdapterBinding(
        Adapter adapter, Checkpoint checkpoint, ImmutableArray<BoundModule> modules,
        ImmutableArray<(StoredTensor Tensor, StoredTensor Base)> saved)
    {
        Adapter = adapter;
        Checkpoint = checkpoint;
        Modules = modules;
        Saved = saved;
    }

    /// <summary>The adapter.</summary>
    public Adapter Adapter { get; }

    /// <summary>The base.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>The modules with factors.</summary>
    public ImmutableArray<BoundModule> Modules { get; }

    /// <summary>What the adapter stores whole, with the tensor of the base that it stands for.</summary>
    public ImmutableArray<(StoredTensor Tensor, StoredTensor Base)> Saved { get; }

    /// <summary>Rows of embeddings, with the embedding of the base that they are for.</summary>
    public ImmutableArray<(AdapterTokens Tokens, StoredTensor Base)> Tokens { get; init; } = [];

    /// <summary>Heads that the adapter stores and the base lacks, with their names: those of a model for classification.</summary>
    public ImmutableArray<(StoredTensor Tensor, string Name)> NewHeads { get; init; } = [];

    /// <summary>The output projection, where the base ties it to its embedding and the adapter does not keep them the same; null where
    /// nothing comes between them.</summary>
    public UntiedHead? UntiedHead { get; init; }

    /// <summary>What stands in front of a module's name in the adapter and in the base, wherever that differs.</summary>
    public ImmutableArray<(string Adapter, string Base)> Renamed { get; init; } = [];

    /// <summary>What the configuration names in this base and the adapter does not hold, in words; null where it is complete.</summary>
    public string? Missing { get; init; }

    /// <summary>True where what PEFT leaves of the base can be computed.</summary>
    internal bool Recomputes { get; init; }

    /// <summary>
    /// Refuses an adapter that belongs to the base in another gauge: one with a ledger whose moves are not the base's last ones, or that is
    /// said to be for the original base.
    /// </summary>
    /// <exception cref="WiscaException">The gauges differ.</exception>
    public void CheckGauge()
    {
        if (Ledger.Load(Adapter.Folder) is not { } own) return;
        var mine = Moves(own, Adapter.Folder);
        var theirs = Moves(Ledger.Load(Checkpoint.Folder), Checkpoint.Folder);
        bool fits =
            mine.Count == 0
                ? !own.ForOriginal || theirs.Count == 0
                : mine.Count <= theirs.Count && mine.Zip(theirs.TakeLast(mine.Count)).All(pair => pair.First.SequenceEqual(pair.Second));
        if (fits) return;
        throw new WiscaException(
            $"{Adapter.Folder} is expressed for {(mine.Count == 0 ? "the original base" : "a rescaled base")}, and {Checkpoint.Folder} is "
            + $"not it: their {Ledger.FileName} tell of different moves",
            "express the adapter for this base with 'wisca express', or take the base that it belongs to");

        static List<List<string>> Moves(Ledger? ledger, string folder) =>
            [
                .. (ledger?.Moves ?? [])
                    .Select(move => move.Groups.Where(group => group.Factor != 1)
                        .Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Layer} {group.Factor:R}"))
                        .Concat((move.Rotations ?? []).Select(rotation => $"{rotation.Space} {RotationFile.Digest(folder, rotation)}"))
                        .ToList())
                    .Where(parts => parts.Count > 0),
            ];
    }

    /// <summary>Refuses an adapter whose factors are for a base that PEFT changes when it loads them.</summary>
    /// <param name="merging">True where the factors are added to the base: then what PEFT takes out can be taken out too, as far as it
    /// follows from the base alone (PiSSA, OLoRA).</param>
    /// <exception cref="WiscaException">It is one.</exception>
    public void CheckWholeBase(bool merging = false)
    {
        var config = Adapter.Config;
        if (!config.ChangesBase || (merging && Recomputes && IsKnown(config.Initialization))) return;
        throw new WiscaException(
            $"{config.File}: init_lora_weights is {config.Root.GetProperty("init_lora_weights").GetRawText()}: the factors are for what "
            + "PEFT leaves of the base when it takes the first ones out, not for the base itself",
            "write the adapter for the whole base with PEFT: save_pretrained(DIR, "
            + "path_initial_model_for_weight_conversion=DIR_OF_THE_INITIAL_ADAPTER)");

        static bool IsKnown(LoraInitialization start) => start is LoraInitialization.Pissa or LoraInitialization.Olora;
    }
}

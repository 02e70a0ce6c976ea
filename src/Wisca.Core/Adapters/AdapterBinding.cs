using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;

namespace Wisca.Adapters;

/// <summary>An adapter with the base that it fits.</summary>
public sealed class AdapterBinding
{
    private const int ListedDifferences = 4;

    private AdapterBinding(
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

    internal static AdapterBinding Create(Adapter adapter, Checkpoint checkpoint)
    {
        var differences = new List<string>();
        var names = new BaseNames(checkpoint.Tensors.Select(tensor => tensor.Info.Name));
        bool? conv = IsConv1D(checkpoint.Config);
        var modules = ImmutableArray.CreateBuilder<BoundModule>();
        foreach (var module in adapter.Modules)
        {
            if (Find(module.Name + ".weight") is not { } weight) continue;
            var (outputs, inputs) = (module.Outputs, module.Inputs);
            bool plain = weight.Info.Shape.AsSpan().SequenceEqual([outputs, inputs]),
                transposed = weight.Info.Shape.AsSpan().SequenceEqual([inputs, outputs]);
            if (!plain && !transposed)
                differences.Add($"{weight.Info.Name} is {weight.Info.ShapeText}, but the factors are for [{outputs}, {inputs}]");
            else if (!weight.Info.Dtype.IsRescalable())
                differences.Add($"{weight.Info.Name} is stored as {weight.Info.Dtype}, expected F32, F16, BF16 or F64");
            else modules.Add(new BoundModule(module, weight, plain && transposed ? conv ?? adapter.Config.FanInFanOut : transposed));
        }

        var saved = ImmutableArray.CreateBuilder<(StoredTensor, StoredTensor)>();
        foreach (var (tensor, name) in adapter.Saved)
        {
            if (Find(name) is not { } weight) continue;
            if (weight.Info.Shape.SequenceEqual(tensor.Info.Shape) && weight.Info.Dtype.IsRescalable()) saved.Add((tensor, weight));
            else
                differences.Add(
                    $"{weight.Info.Name} is {weight.Info.Dtype} {weight.Info.ShapeText}, but the adapter stores {tensor.Info.ShapeText}");
        }

        if (differences.Count > 0)
        {
            string more = differences.Count > ListedDifferences ? $"; and {differences.Count - ListedDifferences} more" : "";
            string made = adapter.Config.BaseName is { Length: > 0 } name
                ? $"it was made for {name}"
                : "give the base that it was made for";
            throw new WiscaException(
                $"{adapter.Folder} is not an adapter for {checkpoint.Folder}: "
                + $"{string.Join("; ", differences.Take(ListedDifferences))}{more}",
                made);
        }

        CheckTied(checkpoint, saved);
        return new AdapterBinding(adapter, checkpoint, modules.ToImmutable(), saved.ToImmutable());

        StoredTensor? Find(string name)
        {
            string? found = names.Find(name, out bool ambiguous);
            if (ambiguous) differences.Add($"several tensors of the base end with {name}");
            else if (found is null) differences.Add($"the base has no {name}");
            return found is null ? null : checkpoint.Find(found);
        }
    }

    /// <summary>
    /// Refuses an adapter that belongs to the base in another gauge: one with a ledger whose moves are not the base's last ones, or that is
    /// said to be for the original base.
    /// </summary>
    /// <exception cref="WiscaException">The gauges differ.</exception>
    public void CheckGauge()
    {
        if (Ledger.Load(Adapter.Folder) is not { } own) return;
        var mine = Moves(own);
        var theirs = Moves(Ledger.Load(Checkpoint.Folder));
        bool fits =
            mine.Count == 0
                ? !own.ForOriginal || theirs.Count == 0
                : mine.Count <= theirs.Count && mine.Zip(theirs.TakeLast(mine.Count)).All(pair => pair.First.SequenceEqual(pair.Second));
        if (fits) return;
        throw new WiscaException(
            $"{Adapter.Folder} is expressed for {(mine.Count == 0 ? "the original base" : "a rescaled base")}, and {Checkpoint.Folder} is "
            + $"not it: their {Ledger.FileName} tell of different factors",
            "express the adapter for this base with 'wisca express', or take the base that it belongs to");

        static List<List<(int, double)>> Moves(Ledger? ledger) =>
            [
                .. (ledger?.Moves ?? [])
                    .Select(move => move.Groups.Where(group => group.Factor != 1).Select(group => (group.Layer, group.Factor)).ToList())
                    .Where(groups => groups.Count > 0),
            ];
    }

    /// <summary>Refuses an adapter whose factors are for a base that PEFT changes when it loads them.</summary>
    /// <exception cref="WiscaException">It is one.</exception>
    public void CheckWholeBase()
    {
        if (!Adapter.Config.ChangesBase) return;
        throw new WiscaException(
            $"{Adapter.Config.File}: init_lora_weights is {Adapter.Config.Root.GetProperty("init_lora_weights").GetRawText()}: the "
            + "factors are for what PEFT leaves of the base when it takes the first ones out, not for the base itself",
            "write the adapter for the whole base with PEFT: save_pretrained(DIR, "
            + "path_initial_model_for_weight_conversion=DIR_OF_THE_INITIAL_ADAPTER)");
    }

    /// <summary>How a family stores its projections; null where the family is not known.</summary>
    private static bool? IsConv1D(ModelConfig config)
    {
        try
        {
            return TextModel.Find(config, null).Table.Attention.Any(layout => layout.Orientation == Orientation.Conv1D);
        }
        catch (WiscaException)
        {
            return null;
        }
    }

    /// <summary>A tied embedding is the output projection too; an adapter that replaces it alone means only one of them.</summary>
    private static void CheckTied(Checkpoint checkpoint, IEnumerable<(StoredTensor Tensor, StoredTensor Base)> saved)
    {
        if (checkpoint.Config.FindBool("tie_word_embeddings") != true) return;
        string[] embeddings = ["embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight"];
        if (
            saved.FirstOrDefault(pair => embeddings.Any(name => TargetModules.EndsWith(pair.Base.Info.Name, name)))
            is not { Tensor: { } tensor })
            return;
        throw new WiscaException(
            $"the adapter stores '{tensor.Info.Name}', but the base ties that embedding to its output projection, "
            + "which keeps the old one in PEFT",
            "untie the base first (tie_word_embeddings false, with a lm_head.weight of its own)");
    }
}
